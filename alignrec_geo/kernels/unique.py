"""Repeated ids of a batch: one row stands for all of them."""

from typing import NamedTuple

import torch
from torch import Tensor

from alignrec_geo.kernels.opaque import opaque


class Unique(NamedTuple):
    """The distinct ids of a batch.

    Args:
        index: position of each distinct id's first occurrence, ``[n]`` int64.
        counts: how often it occurs, ``[n]`` int64.
    """

    index: Tensor  # type: ignore[assignment]  # tuple.index is not needed here
    counts: Tensor


@opaque
def unique_with_counts(ids: Tensor) -> Unique:
    """Return where each distinct id first occurs and how often, in the order of the ids.

    Losses that treat equal rows alike need each row once, with its count as a weight: fewer rows, the same value.

    Args:
        ids: ``[B]`` int64.

    Example:
        >>> import torch
        >>> unique_with_counts(torch.tensor([7, 3, 7]))
        Unique(index=tensor([1, 0]), counts=tensor([1, 2]))
    """
    ordered, order = torch.sort(ids, stable=True)
    _, count = torch.unique_consecutive(ordered, return_counts=True)
    return Unique(order[count.cumsum(0) - count], count)
