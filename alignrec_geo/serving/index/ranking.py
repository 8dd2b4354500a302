"""The best items through an index: found in its lists, scored exactly, and never fewer than there are."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alignrec_geo.serving.index.search import ItemIndex
from alignrec_geo.serving.ranking import Pairs, Ranking
from alignrec_geo.typing import Int64

SPARE = 16
"""Rows that are found beyond those that are needed: the order at the border is that of half precision."""
CALIBRATED = 50
"""Items that the number of probes was chosen for; for more, more lists are looked through."""
GATHERED = 1 << 22
"""Numbers of found vectors that are held at once."""


class IndexRanking:
    """The same as :class:`~alignrec_geo.serving.ranking.Ranking`, by an index of the items.

    What the index finds is scored with the vectors of the table, so scores are those of an exact ranking and in their
    order; an item that the index did not look at may be missing. Items whose vectors the index does not know are ranked
    exactly and merged. Whoever would get fewer than ``k`` items is ranked exactly.

    Args:
        index: of the first rows of ``items``.
        users: ``[U, D]``, on the CPU.
        items: ``[n, D]``, on the CPU.
        allowed: rows of the items to rank, ascending; ``None`` for all.
        other: which items have another vector than the index has, or are not in it, ``[n]`` bool; ``None`` for none.
    """

    def __init__(
        self,
        index: ItemIndex,
        users: Tensor,
        items: Tensor,
        allowed: Int64 | None = None,
        other: NDArray[np.bool_] | None = None,
    ) -> None:
        self.index, self.users, self.items, self.allowed = index, users, items, allowed
        self._among: NDArray[np.bool_] | None = None
        self._beside: Ranking | None = None
        self._count = len(items)
        if allowed is None and other is None:
            return
        kept = np.ones(len(items), dtype=np.bool_)
        if allowed is not None:
            kept[:] = False
            kept[allowed] = True
        outside = np.zeros_like(kept) if other is None else kept & other
        inside = (kept & ~outside)[: len(index)]
        self._among = None if inside.all() else inside
        if outside.any():
            self._beside = Ranking(users, items, np.flatnonzero(outside))
        self._count = int(kept.sum())

    @cached_property
    def _exact(self) -> Ranking:
        return Ranking(self.users, self.items, self.allowed)

    def best(
        self, rows: Int64, k: int, hidden: Sequence[Pairs] = (), complete: bool = True
    ) -> tuple[NDArray[np.floating], Int64]:
        """Return scores and item rows, ``[b, k]`` each; see :meth:`alignrec_geo.serving.ranking.Ranking.best`.

        Args:
            rows: of the table of users, ``[b]``.
            k: how many.
            hidden: pairs that are left out, users by their place among ``rows``.
            complete: rank exactly for whoever would get fewer than ``k``; without, they end at minus infinity.
        """
        width = min(k, self._count)
        scores = np.full((len(rows), width), -np.inf, dtype=np.float32)
        items = np.zeros((len(rows), width), dtype=np.int64)
        if not width or not len(rows):
            return scores, items
        keys = self._keys(hidden)
        depth = width + SPARE + np.bincount(keys // len(self.items), minlength=len(rows))
        by_depth = np.ceil(np.log2(depth)).astype(np.int64)  # rankings of about one depth are made together
        for level in np.unique(by_depth):
            places = np.flatnonzero(by_depth == level)
            deepest = int(depth[places].max())
            for first in range(0, len(places), self._at_once(deepest)):
                part = places[first : first + self._at_once(deepest)]
                scores[part], items[part] = self._found(rows[part], part, width, deepest, keys)
        short = np.flatnonzero(np.isneginf(scores[:, -1]))
        if len(short) and complete:
            scores[short], items[short] = self._exact.best(rows[short], width, _of_places(hidden, short))
        return scores, items

    def _at_once(self, depth: int) -> int:
        return max(1, GATHERED // (depth * self.items.shape[1]))

    def _keys(self, hidden: Sequence[Pairs]) -> Int64:
        """Hidden pairs as one number each, sorted."""
        size = len(self.items)
        parts = [place * size + item for place, item in hidden]
        return np.sort(np.concatenate(parts)) if parts else np.empty(0, dtype=np.int64)

    def _found(
        self, rows: Int64, places: Int64, width: int, depth: int, keys: Int64
    ) -> tuple[NDArray[np.float32], Int64]:
        """The best of some users, those with fewer filled up at minus infinity."""
        queries = self.users[torch.from_numpy(rows)].numpy().astype(np.float32, copy=False)  # [b, D]
        probes = -(-self.index.probes * max(width, CALIBRATED) // CALIBRATED)
        items = np.sort(self.index.search(queries, depth, self._among, probes), axis=1)  # [b, m]
        absent = items < 0
        items[absent] = 0
        vectors = self.items[torch.from_numpy(items)].numpy()  # [b, m, D]
        scores = np.matmul(vectors, queries[:, :, None])[:, :, 0].astype(np.float32, copy=False)
        wanted = places[:, None] * len(self.items) + items
        place = np.searchsorted(keys, wanted)
        gone = absent if not len(keys) else absent | (keys[np.minimum(place, len(keys) - 1)] == wanted)
        scores[gone] = -np.inf
        if self._beside is not None:
            more, others = self._beside.best(rows, width, _split(keys, places, len(self.items)))
            scores, items = np.concatenate([scores, more], axis=1), np.concatenate([items, others], axis=1)
            by_row = np.argsort(items, axis=1, kind="stable")
            scores, items = (np.take_along_axis(part, by_row, axis=1) for part in (scores, items))
        order = np.argsort(-scores, axis=1, kind="stable")[:, :width]  # of equal scores the lower row stays first
        return np.take_along_axis(scores, order, axis=1), np.take_along_axis(items, order, axis=1)


def _of_places(hidden: Sequence[Pairs], places: Int64) -> list[Pairs]:
    """The pairs of some of the users, renumbered by their order."""
    kept = []
    for place, item in hidden:
        number = np.searchsorted(places, place)
        among = places[np.minimum(number, len(places) - 1)] == place
        kept.append((number[among], item[among]))
    return kept


def _split(keys: Int64, places: Int64, size: int) -> list[Pairs]:
    """Keys as pairs of the users at ``places``."""
    return _of_places([(keys // size, keys % size)], places) if len(keys) else []
