"""What models that are made from PyG's ``HeteroData`` share."""

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from alignrec_geo.dataset.store import Dataset
from alignrec_geo.distributed import current
from alignrec_geo.graph.adjacency import symmetric_adjacency
from alignrec_geo.graph.checks import check_graph, edges_of, interaction_type, node_count
from alignrec_geo.graph.hetero import GRAPH_FOLDER, to_hetero
from alignrec_geo.graph.modalities import feature_list, feature_names, modalities
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.models.base import Recommender
from alignrec_geo.models.size import check_memory, trained


class GraphRecommender(Recommender):
    """A recommender whose constructor takes the graph, so that it can be used without a data set.

    A subclass makes its parameters and graphs in ``__init__`` and ends it with
    ``self.reset_parameters(child_generator(seed, "init"))``.

    Args:
        data: the graph (see :func:`alignrec_geo.graph.to_hetero`). It is read, never changed. The training pairs are
            ``user__interacts__item``, or the only edge type from user to item.
        features: names of the item features to use; ``None`` takes all, ``x_NAME`` and PyG's own ``x``.
        config: settings, as an object or a dictionary; ``None`` takes the defaults.

    Attributes:
        n_users: ``U``.
        n_items: ``I``.
        pairs: the training pairs, ``[2, E]``.
        pair_weight: the ``edge_weight`` of the training pairs, ``[E]``, if the graph has one.
        graph_folder: the data set folder that keeps the graph, if it is large (see :mod:`alignrec_geo.graph.stored`).

    Raises:
        InputError: ``data`` is no graph, lacks users, items or training pairs, a pair names a node that does not exist,
            or ``config`` is impossible (see :mod:`alignrec_geo.graph.checks`).
    """

    dense_maps: ClassVar[int] = 0
    """Maps from ``dim`` to ``dim`` that the model has at least if it has features; for the estimate of its memory."""

    def __init__(self, data: HeteroData, features: Sequence[str] | None = None, config: Any = None) -> None:
        super().__init__()
        graph = check_graph(data, type(self).__name__)
        self.config = self.settings(config)
        names = feature_list(features)
        chosen = feature_names(graph) if names is None else names
        self.features = tuple(chosen) if self.uses_features else ()
        self.n_users, self.n_items = node_count(graph, "user"), node_count(graph, "item")
        edges = edges_of(graph, interaction_type(graph))
        self.pairs: Tensor = torch.stack([edges.source, edges.target])
        self.pair_weight: Tensor | None = edges.weight
        self.graph_folder = Path(graph[GRAPH_FOLDER]) if GRAPH_FOLDER in graph else None
        check_memory(self._needs(graph), type(self).__name__)

    @classmethod
    def build(cls, dataset: Dataset, features: Sequence[str], config: Any, seed: int) -> Self:
        """Make the graph of the data set, then the model."""
        model: Self = cls(to_hetero(dataset, features, k=None), features, config, seed)  # type: ignore[call-arg]
        return model

    def _needs(self, graph: HeteroData) -> dict[str, int]:
        """The least bytes that training needs, by the setting that asks for them."""
        widths = [part.x.shape[1] for part in modalities(graph, self.features)]
        needs: dict[str, int] = {}
        dim = getattr(self.config, "dim", 0)
        if dim:
            dense = self.dense_maps * dim if self.features else 0
            numbers = dim * (self.n_users + self.n_items + sum(widths) + dense)
            group = current()
            needs[f"dim={dim}"] = trained(numbers if group is None else numbers // group.size)
        for name in ("hidden", "latent_dim"):
            if hasattr(self.config, name):
                hidden = getattr(self.config, name)
                needs[f"{name}={hidden}"] = trained(hidden * (sum(widths) + dim))
        return needs

    def symmetric_graph(self) -> CSR:
        """The normalised graph of the training pairs on all nodes, with their weights if there are some, ``[N, N]``."""
        group = current()
        with nullcontext() if group is None or self.graph_folder is None else group.first_before_others():
            return symmetric_adjacency(self.pairs, self.n_users, self.n_items, self.pair_weight, self.graph_folder)

    def histories(self) -> CSR:
        """The training pairs, ``[U, I]``."""
        return CSR.pattern(self.pairs[0], self.pairs[1], (self.n_users, self.n_items))

    @abstractmethod
    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the parameters anew."""

    def __repr__(self) -> str:
        features = f", features={list(self.features)}" if self.uses_features else ""
        return f"{type(self).__name__}(users={self.n_users}, items={self.n_items}{features})"
