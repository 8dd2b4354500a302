"""Top items of users and neighbours of items, external ids in and out."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from alignrec_geo.dataset.ids import ITEM_IDS, WHOLE_NUMBERS, text_id
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.embeddings import Embeddings, fitting
from alignrec_geo.errors import InputError
from alignrec_geo.kernels.topk import blocked_top_k, top_k
from alignrec_geo.memory import enough_memory
from alignrec_geo.serving.asked import asked_count, asked_ids
from alignrec_geo.serving.candidates import Candidates
from alignrec_geo.serving.cold import ColdItems
from alignrec_geo.serving.results import CONTENT, MODEL, POPULAR, Recommendation, Recommendations, SimilarItems
from alignrec_geo.typing import Int64

COLD_POLICIES = ("error", "popular")


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
        given: Any = dataset
        if not isinstance(given, Dataset):
            raise InputError(f"a Dataset is needed for ids and seen items (got a {type(given).__name__})")
        pairs = dataset.interactions
        self.embeddings = fitting(embeddings, pairs.n_users, pairs.n_items)
        self.dataset = dataset
        self.cold_items = cold_items

    def recommend(self, users: Any, k: int = 10, cold: str = "error", include_cold: bool = False) -> Recommendations:
        """Return the ``k`` best items per user, those the user has interacted with (in any split) left out.

        All items of the data set are ranked with the trained tables, as in evaluation; the model may have no more than
        a guess for an item without a training interaction.

        Args:
            users: external ids, one or several, as text or in the type they once had.
            k: how many; fewer come back for a user who has seen almost everything.
            cold: what to do for users that are unknown or have no training interaction: ``error``, or ``popular`` for
                the most popular items.
            include_cold: rank :attr:`cold_items` too, each by its vector from content; one that is an item of the data
                set gets this vector in place of the trained one.

        Returns:
            The items by user, in the order and with the ids that were given; a dictionary with ``to_frame()``.
            :attr:`~alignrec_geo.serving.Recommendation.source` says where a score comes from.

        Raises:
            InputError: a cold user and ``cold="error"``, an unknown policy, ``include_cold`` without cold items, or
                something that is no id.
        """
        if cold not in COLD_POLICIES:
            raise InputError(f"unknown policy for cold users (got '{cold}'); allowed: {', '.join(COLD_POLICIES)}")
        k, asked = asked_count(k), asked_ids(users, "users")
        if include_cold and self.cold_items is None:
            raise InputError("no vectors of cold items; make them with 'alignrec-geo embed RUN'")
        row_of = self._known_rows(asked, cold)
        warm = {user: row for user, row in row_of.items() if row is not None and self._train_degree[row] > 0}
        cold_users = [user for user in row_of if user not in warm]
        if cold_users and cold == "error":
            name = asked[cold_users[0]]
            raise InputError(
                f"user '{name}' has no training interaction; cold='popular' recommends the most popular items"
            )
        result: dict[Any, list[Recommendation]] = {}
        rows = torch.tensor(list(warm.values()), dtype=torch.long)
        ranking = self._everything if include_cold else self._trained
        with enough_memory("ranking", lower="dim or k"):
            ranked = list(blocked_top_k(self.embeddings.users, ranking.vectors, rows, k, ranking.seen)) if warm else []
        best = [(s, i) for _, scores, items in ranked for s, i in zip(scores, items, strict=True)]
        for user, (scores, items) in zip(warm, best, strict=True):
            result[user] = _named(ranking, scores, items)
        for user in cold_users:
            result[user] = self._popular(row_of[user], k)
        found = Recommendations({user: result[user] for user in row_of})
        found.whole_ids = self._whole_ids
        return found

    def similar(self, item: Any, k: int = 10, include_cold: bool = False) -> SimilarItems:
        """Return the ``k`` items whose vectors have the largest cosine with an item's, itself left out.

        Args:
            item: external id, of the data set or, if it does not know it, of :attr:`cold_items`.
            k: how many.
            include_cold: rank :attr:`cold_items` too, as in :meth:`recommend`.

        Returns:
            The items, the closest first; a list with ``to_frame()``.

        Raises:
            InputError: the item is unknown, or ``include_cold`` without cold items.
        """
        k, name = asked_count(k), text_id(item, "item")
        if include_cold and self.cold_items is None:
            raise InputError("no vectors of cold items; make them with 'alignrec-geo embed RUN'")
        ranking = self._everything if include_cold else self._trained
        own: int | None
        if self.cold_items is not None and not self.knows_item(name) and name in self.cold_items.ids:
            vector = self.cold_items.vectors[self.cold_items.ids.index(name)]
            own = ranking.ids.index(name) if include_cold else None
        else:
            own = int(self.dataset.item_rows([name])[0])
            vector = ranking.vectors[own]
        scores = F.normalize(ranking.vectors, dim=1) @ F.normalize(vector, dim=0)  # [n]
        if own is not None:
            scores[own] = -torch.inf
        value, column = top_k(scores[None], k)
        found = SimilarItems(_named(ranking, value[0], column[0]))
        found.whole_ids = self._whole_ids
        return found

    def knows_item(self, item: Any) -> bool:
        """Whether the data set has an item."""
        return bool((self.dataset.items["id"] == text_id(item, "item")).any())

    def _known_rows(self, asked: Mapping[Any, str], cold: str) -> dict[Any, int | None]:
        if cold == "error":
            return dict(zip(asked, self.dataset.user_rows(list(asked.values())).tolist(), strict=True))
        known = dict(zip(self.dataset.users["id"].to_list(), range(self.dataset.users.height), strict=True))
        return {user: known.get(name) for user, name in asked.items()}

    def _popular(self, user_row: int | None, k: int) -> list[Recommendation]:
        scores = torch.from_numpy(self.dataset.interactions.of(Split.TRAIN).item_degree()).float()
        if user_row is not None:
            pairs = self.dataset.interactions
            scores[torch.from_numpy(pairs.item[pairs.user == user_row])] = -torch.inf
        value, column = top_k(scores[None], k)
        return [item._replace(source=POPULAR) for item in _named(self._trained, value[0], column[0])]

    @property
    def _whole_ids(self) -> bool:
        return self.dataset.source.get(ITEM_IDS) == WHOLE_NUMBERS

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
    ids, titles, cold, by_content = candidates.ids, candidates.titles, candidates.cold, candidates.by_content
    pairs = zip(scores.tolist(), items.tolist(), strict=True)
    return [
        Recommendation(ids[i], titles[i], score, bool(cold[i]), CONTENT if by_content[i] else MODEL)
        for score, i in pairs
        if score != -np.inf
    ]
