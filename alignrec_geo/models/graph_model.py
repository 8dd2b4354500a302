"""What models that are made from PyG's ``HeteroData`` share."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.graph.content import feature_names
from alignrec_geo.graph.hetero import INTERACTS, to_hetero
from alignrec_geo.models.base import Recommender


class GraphRecommender(Recommender):
    """A recommender whose constructor takes the graph, so that it can be used without a data set.

    A subclass makes its parameters and graphs in ``__init__`` and ends it with
    ``self.reset_parameters(child_generator(seed, "init"))``.

    Args:
        data: the graph (see :func:`alignrec_geo.graph.to_hetero`).
        features: names of the item features to use; ``None`` takes all ``x_NAME``.
        config: settings; ``None`` takes the defaults.

    Attributes:
        n_users: ``U``.
        n_items: ``I``.
        pairs: the training pairs, ``[2, E]``.
        pair_weight: the ``edge_weight`` of the training pairs, ``[E]``, if the graph has one.

    Raises:
        InputError: the training pairs have another number of weights than of pairs.
    """

    def __init__(self, data: HeteroData, features: Sequence[str] | None = None, config: Any = None) -> None:
        super().__init__()
        self.config = config or self.config_class()
        chosen = feature_names(data) if features is None else features
        self.features = tuple(chosen) if self.uses_features else ()
        self.n_users, self.n_items = int(data["user"].num_nodes), int(data["item"].num_nodes)
        self.pairs: Tensor = data[INTERACTS].edge_index
        self.pair_weight: Tensor | None = data[INTERACTS].get("edge_weight")
        if self.pair_weight is not None and self.pair_weight.shape != self.pairs.shape[1:]:
            raise InputError(
                f"edge_weight of '{'__'.join(INTERACTS)}' must be one number per pair: [{self.pairs.shape[1]}] "
                f"(got {list(self.pair_weight.shape)})"
            )

    @classmethod
    def build(cls, dataset: Dataset, features: Sequence[str], config: Any, seed: int) -> Self:
        """Make the graph of the data set, then the model."""
        model: Self = cls(to_hetero(dataset, features, k=None), features, config, seed)  # type: ignore[call-arg]
        return model

    @abstractmethod
    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the parameters anew."""

    def __repr__(self) -> str:
        features = f", features={list(self.features)}" if self.uses_features else ""
        return f"{type(self).__name__}(users={self.n_users}, items={self.n_items}{features})"
