"""The best of some items for some users, in external order."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alignrec_geo.kernels.topk import blocked_top_k
from alignrec_geo.memory import enough_memory
from alignrec_geo.serving.items_by_user import excluded
from alignrec_geo.typing import Int64

Pairs = tuple[Int64, Int64]
"""Place of a user among those that are ranked for, and row of an item: ``[s]`` each."""


def own_rows(rows: Int64, size: int) -> list[Pairs]:
    """The pairs that keep each of some rows of a table from being found for itself.

    Args:
        rows: ``[b]``; one of at least ``size`` is not in the table.
        size: rows of the table.

    Example:
        >>> [part.tolist() for part in own_rows(np.array([4, 9]), 5)[0]]
        [[0], [4]]
    """
    own = np.flatnonzero(rows < size)
    return [(own, rows[own])]


class Ranking:
    """Ranks items by dot product, all of them or those that are allowed.

    The vectors of allowed items are gathered once, so few of them cost little, and their scores are as exact.

    Args:
        users: ``[U, D]``.
        items: ``[n, D]``.
        allowed: rows of the items to rank, ascending; ``None`` for all.
    """

    def __init__(self, users: Tensor, items: Tensor, allowed: Int64 | None = None) -> None:
        self.users, self.allowed = users, allowed
        self.items = items
        if allowed is not None:
            self.items = items[torch.from_numpy(allowed).to(items.device)]
            self._column = np.full(len(items), -1)
            self._column[allowed] = np.arange(len(allowed))

    def best(self, rows: Int64, k: int, hidden: Sequence[Pairs] = ()) -> tuple[NDArray[np.floating], Int64]:
        """Return scores and item rows, ``[b, k]`` each, the best first; what is hidden comes last, at minus infinity.

        Args:
            rows: of the table of users, ``[b]``.
            k: how many; fewer columns come back where fewer items are allowed.
            hidden: pairs that are left out, users by their place among ``rows``.

        Raises:
            InputError: memory ran out.
        """
        pairs = excluded(*self._merged(hidden), len(rows)) if hidden else None
        with enough_memory("ranking", lower="dim or k"):
            blocks = list(blocked_top_k(self.users, self.items, torch.from_numpy(rows), k, pairs))
        scores = blocks[0][1] if len(blocks) == 1 else torch.cat([block[1] for block in blocks])
        columns = blocks[0][2] if len(blocks) == 1 else torch.cat([block[2] for block in blocks])
        found = columns.numpy()
        return scores.numpy(), found if self.allowed is None else self.allowed[found]

    def _merged(self, hidden: Sequence[Pairs]) -> Pairs:
        place, item = hidden[0]
        if len(hidden) > 1:
            place, item = (np.concatenate([pairs[side] for pairs in hidden]) for side in (0, 1))
            order = np.argsort(place, kind="stable")
            place, item = place[order], item[order]
        if self.allowed is None:
            return place, item
        column = self._column[item]
        return place[column >= 0], column[column >= 0]
