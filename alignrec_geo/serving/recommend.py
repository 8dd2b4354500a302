"""Top items of users and neighbours of items, external ids in and out."""

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from alignrec_geo.dataset.interactions import Int64, Split
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.kernels.topk import blocked_top_k, top_k
from alignrec_geo.serving.candidates import Candidates
from alignrec_geo.serving.cold import ColdItems

COLD_POLICIES = ("error", "popular")


class Recommendation(NamedTuple):
    """One recommended item."""

    item: str
    """External id."""
    title: str | None
    """Title, where known."""
    score: float
    """Dot product (for :meth:`TopItems.similar` the cosine; for popular items the number of training interactions)."""
    cold: bool = False
    """Whether the item has no training interaction."""


class TopItems:
    """Recommend from two embedding tables.

    Args:
        embeddings: ``users [U, D]`` and ``items [I, D]``.
        dataset: ids, titles and seen items.
        cold_items: items without a training interaction, with vectors from their content; for ``include_cold``.

    Raises:
        InputError: the tables do not fit the data set.
    """

    def __init__(self, embeddings: Embeddings, dataset: Dataset, cold_items: ColdItems | None = None) -> None:
        pairs = dataset.interactions
        shape = (len(embeddings.users), len(embeddings.items))
        if shape != (pairs.n_users, pairs.n_items):
            raise InputError(
                f"the tables hold {shape[0]} users and {shape[1]} items, "
                f"data set '{dataset.name}' has {pairs.n_users} and {pairs.n_items}"
            )
        self.embeddings = embeddings
        self.dataset = dataset
        self.cold_items = cold_items

    def recommend(
        self, users: Sequence[str], k: int = 10, cold: str = "error", include_cold: bool = False
    ) -> dict[str, list[Recommendation]]:
        """Return the ``k`` best items per user, those the user has interacted with (in any split) left out.

        All items of the data set are ranked with the trained tables, as in evaluation; the model may have no more than
        a guess for an item without a training interaction.

        Args:
            users: external ids.
            k: how many; fewer come back for a user who has seen almost everything.
            cold: what to do for users that are unknown or have no training interaction: ``error``, or ``popular`` for
                the most popular items.
            include_cold: rank :attr:`cold_items` too, each by its vector from content; one that is an item of the data
                set gets this vector in place of the trained one.

        Raises:
            InputError: a cold user and ``cold="error"``, an unknown policy, or ``include_cold`` without cold items.
        """
        if cold not in COLD_POLICIES:
            raise InputError(f"unknown policy for cold users (got '{cold}'); allowed: {', '.join(COLD_POLICIES)}")
        if k < 1:
            raise InputError(f"k must be at least 1 (got {k})")
        if include_cold and self.cold_items is None:
            raise InputError("no vectors of cold items; make them with 'alignrec-geo embed RUN'")
        row_of = self._known_rows(users, cold)
        warm = {user: row for user, row in row_of.items() if row is not None and self._train_degree[row] > 0}
        chilly = [user for user in row_of if user not in warm]
        if chilly and cold == "error":
            raise InputError(
                f"user '{chilly[0]}' has no training interaction; --cold popular recommends the most popular items"
            )
        result: dict[str, list[Recommendation]] = {}
        rows = torch.tensor(list(warm.values()), dtype=torch.long)
        ranking = self._everything if include_cold else self._trained
        ranked = list(blocked_top_k(self.embeddings.users, ranking.vectors, rows, k, ranking.seen)) if warm else []
        best = [(s, i) for _, scores, items in ranked for s, i in zip(scores, items, strict=True)]
        for user, (scores, items) in zip(warm, best, strict=True):
            result[user] = _named(ranking, scores, items)
        for user in chilly:
            result[user] = self._popular(row_of[user], k)
        return {user: result[user] for user in row_of}

    def similar(self, item: str, k: int = 10) -> list[Recommendation]:
        """Return the ``k`` items whose vectors have the largest cosine with an item's, itself left out.

        Raises:
            InputError: the item is unknown.
        """
        if k < 1:
            raise InputError(f"k must be at least 1 (got {k})")
        row = int(self.dataset.item_rows([item])[0])
        unit = F.normalize(self.embeddings.items, dim=1)
        scores = unit @ unit[row]  # [I]
        scores[row] = -torch.inf
        value, column = top_k(scores[None], k)
        return _named(self._trained, value[0], column[0])

    def _known_rows(self, users: Sequence[str], cold: str) -> dict[str, int | None]:
        if cold == "error":
            return dict(zip(users, self.dataset.user_rows(users).tolist(), strict=True))
        known = dict(zip(self.dataset.users["id"].to_list(), range(self.dataset.users.height), strict=True))
        return {user: known.get(user) for user in users}

    def _popular(self, user_row: int | None, k: int) -> list[Recommendation]:
        scores = torch.from_numpy(self.dataset.interactions.of(Split.TRAIN).item_degree()).float()
        if user_row is not None:
            pairs = self.dataset.interactions
            scores[torch.from_numpy(pairs.item[pairs.user == user_row])] = -torch.inf
        value, column = top_k(scores[None], k)
        return _named(self._trained, value[0], column[0])

    @cached_property
    def _trained(self) -> Candidates:
        return Candidates.trained(self.embeddings, self.dataset)

    @cached_property
    def _everything(self) -> Candidates:
        assert self.cold_items is not None
        return self._trained.with_cold(self.cold_items)

    @cached_property
    def _train_degree(self) -> Int64:
        return self.dataset.interactions.of(Split.TRAIN).user_degree()


def _named(candidates: Candidates, scores: Tensor, items: Tensor) -> list[Recommendation]:
    ids, titles, cold = candidates.ids, candidates.titles, candidates.cold
    pairs = zip(scores.tolist(), items.tolist(), strict=True)
    return [Recommendation(ids[i], titles[i], score, bool(cold[i])) for score, i in pairs if score != -np.inf]
