"""A fixed set of integer keys with fast membership tests for many keys at once."""

import torch
from torch import Tensor

_SLOTS_PER_KEY = 8
_MULTIPLIER = -0x61C8864680B583EB
"""The golden ratio in 64 bits: multiplying by it spreads neighbouring keys over the high bits."""


class PairSet:
    """Which user-item pairs are there, as keys ``user * n_items + item``.

    A hashed table of flags answers "no" for most keys; only those it cannot rule out (the true ones and about one in
    eight others) are looked up by binary search.

    Args:
        keys: ``[E]`` int64, any order.

    Example:
        >>> import torch
        >>> PairSet(torch.tensor([5, 9])).contains(torch.tensor([9, 6])).tolist()
        [True, False]
    """

    def __init__(self, keys: Tensor) -> None:
        self._sorted = torch.sort(keys).values
        self._bits = max(_SLOTS_PER_KEY * len(keys) - 1, 1).bit_length()
        self._flags = torch.zeros(1 << self._bits, dtype=torch.bool)
        self._flags[self._slots(keys)] = True

    def contains(self, keys: Tensor) -> Tensor:
        """Return which of ``keys`` (int64, any shape) are in the set, in the same shape."""
        flat = keys.reshape(-1)
        found = self._flags.index_select(0, self._slots(flat))
        open_rows = torch.nonzero(found)[:, 0]
        wanted = flat[open_rows]
        place = torch.searchsorted(self._sorted, wanted).clamp_(max=max(len(self._sorted) - 1, 0))
        found[open_rows] = self._sorted[place] == wanted if len(self._sorted) else False
        return found.view(keys.shape)

    def _slots(self, keys: Tensor) -> Tensor:
        return (keys * _MULTIPLIER).bitwise_right_shift_(64 - self._bits).bitwise_and_((1 << self._bits) - 1)
