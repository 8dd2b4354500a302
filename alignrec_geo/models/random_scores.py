"""Random scores: what chance alone finds."""

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor
from torch_geometric.data import HeteroData

from alignrec_geo.embeddings import Embeddings
from alignrec_geo.models.base import Batch, ModelConfig
from alignrec_geo.models.contributions import OWN, Branches, UserPaths
from alignrec_geo.models.graph_model import GraphRecommender
from alignrec_geo.randomness import child_generator


class RandomScoresConfig(ModelConfig):
    """Settings of :class:`RandomScores`."""

    dim: int = Field(default=64, ge=1)
    """Width d of the tables."""


class RandomScores(GraphRecommender):
    """Score with two tables of standard normal numbers. Nothing is trained; another seed gives another ranking.

    Args:
        data: the graph (see :func:`alignrec_geo.graph.to_hetero`); only its numbers of users and items count.
        features: not used.
        config: settings; ``None`` takes the defaults.
        seed: seed of the tables.
    """

    config_class = RandomScoresConfig
    uses_features = False
    config: RandomScoresConfig
    user_table: Tensor
    item_table: Tensor

    def __init__(
        self,
        data: HeteroData,
        features: Sequence[str] | None = None,
        config: RandomScoresConfig | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(data, features, config)
        self.register_buffer("user_table", torch.empty(self.n_users, self.config.dim))
        self.register_buffer("item_table", torch.empty(self.n_items, self.config.dim))
        self.reset_parameters(child_generator(seed, "init"))

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the tables anew."""
        self.user_table.normal_(generator=generator)
        self.item_table.normal_(generator=generator)

    def encode(self) -> Embeddings:
        """Return the two tables, ``[U, d]`` and ``[I, d]``."""
        return Embeddings(self.user_table, self.item_table)

    def branches(self) -> Branches:
        """All is identity."""
        return Branches(self.encode())

    def user_paths(self, user: int) -> UserPaths:
        """No past item brings anything."""
        return UserPaths.of(OWN, self.user_table[user])

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """No terms: there is nothing to train."""
        return {}
