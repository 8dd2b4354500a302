"""Pairs that a ranking leaves out, laid out by the order of the ranked users."""

from dataclasses import dataclass

import torch
from torch import Tensor

from alignrec_geo.kernels.csr import CSR


@dataclass(frozen=True)
class ExcludedPairs:
    """What some users' rankings leave out; made once where the same users are ranked again and again.

    Args:
        place: each pair's user, as its place among the ranked users, ``[s]`` int64, sorted.
        item: each pair's item, ``[s]`` int64.
        start: where the pairs of each ranked user begin, ``[n + 1]`` int64, always on the CPU: a block of users is a
            slice that no GPU has to be asked for.

    Example:
        >>> import torch
        >>> seen = CSR.pattern(torch.tensor([0, 0, 2]), torch.tensor([1, 4, 3]), (3, 5))
        >>> ExcludedPairs.of(seen, torch.tensor([2, 0])).block(1, 2)
        (tensor([0, 0]), tensor([1, 4]))
    """

    place: Tensor
    item: Tensor
    start: Tensor

    @classmethod
    def of(cls, pairs: CSR, rows: Tensor) -> "ExcludedPairs":
        """The pairs of some users.

        Args:
            pairs: ``[U, I]``.
            rows: which users are ranked, ``[n]`` int64, on the device of ``pairs``.
        """
        place, item = pairs.entries(rows)
        crow = pairs.matrix.crow_indices()
        count = (crow[rows + 1] - crow[rows]).cpu()
        return cls(place, item, torch.cat([count.new_zeros(1), count.cumsum(0)]).long())

    def to(self, device: torch.device) -> "ExcludedPairs":
        """The same on another device."""
        return ExcludedPairs(self.place.to(device), self.item.to(device), self.start)

    def block(self, first: int, last: int) -> tuple[Tensor, Tensor]:
        """Return place within the block and item of every pair of the users ``first … last - 1``."""
        chosen = slice(int(self.start[first]), int(self.start[last]))
        return self.place[chosen] - first, self.item[chosen]
