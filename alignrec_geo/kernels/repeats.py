"""Repeated ids of a batch: one row stands for all of them."""

from typing import NamedTuple

import torch
from torch import Tensor

from alignrec_geo.kernels.opaque import opaque


class Repeats(NamedTuple):
    """The distinct ids of a batch.

    Args:
        first: position of each distinct id's first occurrence, ``[n]`` int64.
        times: how often it occurs, ``[n]`` int64.
    """

    first: Tensor
    times: Tensor


@opaque
def find_repeats(ids: Tensor) -> Repeats:
    """Return where each distinct id first occurs and how often, in the order of the ids.

    Losses that treat equal rows alike need each row once, with its count as a weight: fewer rows, the same value.

    Args:
        ids: ``[B]`` int64.

    Example:
        >>> import torch
        >>> find_repeats(torch.tensor([7, 3, 7]))
        Repeats(first=tensor([1, 0]), times=tensor([1, 2]))
    """
    ordered, order = torch.sort(ids, stable=True)
    _, count = torch.unique_consecutive(ordered, return_counts=True)
    return Repeats(order[count.cumsum(0) - count], count)
