"""A fixed set of integer keys with fast membership tests for many keys at once."""

from collections.abc import Callable
from copy import copy

import torch
from torch import Tensor

from alignrec_geo.kernels.counting_sort import blocks
from alignrec_geo.kernels.fixed_shapes import fixed_shapes

_SLOTS_PER_KEY = 8
_MOST_BITS = 27
"""A table of flags has 2²⁷ slots at most, 134 MB; where that is less than one per key there are no tables."""
_MULTIPLIERS = (-0x61C8864680B583EB, -0x3D4D51C2D82B14B1)
"""Odd 64-bit numbers (the golden ratio among them): multiplying by them spreads keys over the high bits."""


class PairSet:
    """Which user-item pairs are there, as keys ``user * n_items + item``.

    Two hashed tables of flags answer "no" for most keys, the second asked only where the first cannot tell; what
    neither can rule out (the true ones and about one in a hundred others) is looked up by binary search. On a GPU all
    are looked up by binary search: nothing is read back. The keys take ``8 E`` bytes, the tables at most 0.27 GB.

    Args:
        keys: ``[E]`` int64, any order; on a CPU they are taken over and sorted in place.

    Example:
        >>> import torch
        >>> PairSet(torch.tensor([5, 9])).contains(torch.tensor([9, 6])).tolist()
        [True, False]
    """

    def __init__(self, keys: Tensor) -> None:
        if keys.device.type == "cpu" and keys.is_contiguous():
            keys.numpy().sort()  # in place, where torch.sort makes two tensors of this size
            self._sorted = keys
        else:
            self._sorted = torch.sort(keys).values
        self._bits = min(max(_SLOTS_PER_KEY * len(keys) - 1, 1).bit_length(), _MOST_BITS)
        tables = _MULTIPLIERS if len(keys) <= 1 << self._bits else ()
        self._flags = [torch.zeros(1 << self._bits, dtype=torch.bool, device=keys.device) for _ in tables]
        for number, flags in enumerate(self._flags):
            for part in blocks(len(keys)):
                flags[self._slots(keys[part], number)] = True

    def map(self, function: Callable[[Tensor], Tensor]) -> "PairSet":
        """Apply ``function`` (a move) to what is asked."""
        moved = copy(self)
        moved._sorted, moved._flags = function(self._sorted), [function(flags) for flags in self._flags]
        return moved

    def contains(self, keys: Tensor) -> Tensor:
        """Return which of ``keys`` (int64, any shape) are in the set, in the same shape."""
        if fixed_shapes(self._sorted.device) or not self._flags:
            return self.search(keys)
        flat = keys.reshape(-1)
        found = self._flags[0].index_select(0, self._slots(flat, 0))
        open_rows = torch.nonzero(found)[:, 0]
        wanted = flat.index_select(0, open_rows)
        likely = self._flags[1].index_select(0, self._slots(wanted, 1))
        found[open_rows] = likely
        open_rows, wanted = open_rows[likely], wanted[likely]
        found[open_rows] = self.search(wanted)
        return found.view(keys.shape)

    def search(self, keys: Tensor) -> Tensor:
        """The same as :meth:`contains`, by binary search alone."""
        if not len(self._sorted):
            return torch.zeros_like(keys, dtype=torch.bool)
        place = torch.searchsorted(self._sorted, keys).clamp_(max=len(self._sorted) - 1)
        return self._sorted[place] == keys

    def _slots(self, keys: Tensor, number: int) -> Tensor:
        spread = keys * _MULTIPLIERS[number]
        return spread.bitwise_right_shift_(64 - self._bits).bitwise_and_((1 << self._bits) - 1)
