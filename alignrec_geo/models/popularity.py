"""Popularity: the baseline that every trained model must beat."""

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor

from alignrec_geo.dataset.interactions import Split
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.models.base import Batch, ModelConfig, Recommender


class Popularity(Recommender):
    """Score every item by its number of training interactions, for every user alike. Nothing is trained.

    Args:
        counts: training interactions per item, ``[I]``.
        n_users: number of users.
    """

    uses_features = False

    def __init__(self, counts: Tensor, n_users: int) -> None:
        super().__init__()
        self.config = ModelConfig()
        self.counts, self.n_users = counts, n_users

    @classmethod
    def build(cls, dataset: Dataset, features: Sequence[str], config: ModelConfig, seed: int) -> Self:
        """Count the training interactions."""
        train = dataset.interactions.of(Split.TRAIN)
        return cls(torch.from_numpy(train.item_degree()), train.n_users)

    def encode(self) -> Embeddings:
        """Ones for users, counts for items: ``[U, 1]`` and ``[I, 1]``."""
        return Embeddings(torch.ones(self.n_users, 1), self.counts.float()[:, None])

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """No terms: there is nothing to train."""
        return {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}(users={self.n_users}, items={len(self.counts)})"
