"""Popularity: the baseline that every trained model must beat."""

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor

from alignrec_geo.dataset.interactions import Split
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.models.base import Batch, ModelConfig, Recommender
from alignrec_geo.models.contributions import BIAS, Branches, UserPaths
from alignrec_geo.serving.folding import Folding


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

    def branches(self) -> Branches:
        """An item has an identity, its count; users have none, they are all alike."""
        users, items = self.encode()
        return Branches(Embeddings(torch.zeros_like(users), items))

    def user_paths(self, user: int) -> UserPaths:
        """No past item brings anything: the vector is the same for everybody."""
        return UserPaths.of(BIAS, torch.ones(1))

    def folding(self) -> Folding:
        """Everybody's vector is 1."""
        return Folding(torch.zeros(len(self.counts), 1), "mean", torch.ones(1))

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """No terms: there is nothing to train."""
        return {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}(users={self.n_users}, items={len(self.counts)})"
