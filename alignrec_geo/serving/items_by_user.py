"""Items that are hidden from some users: found in time that does not depend on how many users there are."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from alignrec_geo.kernels.excluded import ExcludedPairs
from alignrec_geo.typing import Int64


@dataclass(frozen=True)
class ItemsByUser:
    """Items of every user, sorted by user: the compressed rows of a users×items pattern, one direction only.

    Args:
        start: where the items of each user begin, ``[U + 1]`` int64.
        item: ``[E]`` int32.

    Example:
        >>> pairs = ItemsByUser.of(np.array([2, 0, 2]), np.array([5, 1, 3]), n_users=3)
        >>> [part.tolist() for part in pairs.of_rows(np.array([2, 1, 0]))]
        [[0, 0, 2], [5, 3, 1]]
    """

    start: Int64
    item: NDArray[np.int32]

    @classmethod
    def of(cls, user: Int64, item: Int64, n_users: int) -> "ItemsByUser":
        """Sort pairs by user.

        Args:
            user: ``[E]``, each in ``0 … n_users - 1``.
            item: ``[E]``.
            n_users: ``U``.
        """
        start = _starts(user, n_users)
        ordered = bool((user[1:] >= user[:-1]).all())
        return cls(start, item.astype(np.int32) if ordered else item[np.argsort(user, kind="stable")].astype(np.int32))

    def of_rows(self, rows: Int64) -> tuple[Int64, Int64]:
        """The pairs of some users: each one's place among ``rows``, in order, and its item."""
        if len(rows) == 1:
            found = self.item[self.start[rows[0]] : self.start[rows[0] + 1]].astype(np.int64)
            return np.zeros(len(found), dtype=np.int64), found
        start = self.start[rows]
        count = self.start[rows + 1] - start
        place = np.repeat(np.arange(len(rows)), count)
        within = np.arange(len(place)) - np.repeat(np.cumsum(count) - count, count)
        return place, self.item[start[place] + within].astype(np.int64)


def excluded(place: Int64, item: Int64, count: int) -> ExcludedPairs:
    """Pairs in the form in which a ranking takes them.

    Args:
        place: each pair's user, as its place among the ranked users, sorted, ``[s]``.
        item: ``[s]``.
        count: how many users are ranked.
    """
    start = np.array([0, len(place)]) if count == 1 else _starts(place, count)
    return ExcludedPairs(torch.from_numpy(place), torch.from_numpy(item), torch.from_numpy(start))


def _starts(user: Int64, n_users: int) -> Int64:
    start = np.zeros(n_users + 1, dtype=np.int64)
    np.cumsum(np.bincount(user, minlength=n_users), out=start[1:])
    return start
