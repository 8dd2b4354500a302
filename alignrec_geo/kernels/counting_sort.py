"""Entries of a matrix brought into the order of their rows, a block at a time."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

BLOCK = 1 << 24
"""Entries that are sorted at a time: what a sort needs beside its result is bounded by it, whatever the matrix."""


def blocks(count: int) -> Iterator[slice]:
    """Yield the parts of ``0 … count - 1`` that are worked on at a time.

    Example:
        >>> list(blocks(3))
        [slice(0, 3, None)]
    """
    for begin in range(0, count, BLOCK):
        yield slice(begin, min(begin + BLOCK, count))


def grouped(keys: Tensor, count: int, parts: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Bring what belongs to entries into the order of their keys; entries of equal keys keep their order.

    A counting sort: how often each key occurs says where its entries go, so nothing but the result and one block of
    entries is held. Sorting by column and then by row gives the order of compressed rows.

    Args:
        keys: ``[n]`` of whole numbers in ``0 … count - 1``.
        count: number of keys there can be.
        parts: tensors ``[n]``.

    Returns:
        Where the entries of each key begin, ``[count + 1]`` int64, and ``parts`` in the new order.

    Example:
        >>> grouped(torch.tensor([1, 0, 1]), 2, [torch.tensor([7, 8, 9])])
        (tensor([0, 1, 3]), [tensor([8, 7, 9])])
    """
    start = torch.zeros(count + 1, dtype=torch.long, device=keys.device)
    for part in blocks(len(keys)):
        start[1:] += torch.bincount(keys[part], minlength=count)
    start = start.cumsum_(0)
    if len(keys) <= BLOCK:
        order = torch.argsort(keys, stable=True)
        return start, [values.index_select(0, order) for values in parts]
    free, ordered = start[:-1].clone(), [torch.empty_like(values) for values in parts]
    for part in blocks(len(keys)):
        key, order = torch.sort(keys[part], stable=True)
        distinct, run = torch.unique_consecutive(key, return_counts=True)
        shift = free[distinct] - (run.cumsum(0) - run)  # from the place within the block to the one in the result
        place = torch.repeat_interleave(shift, run) + torch.arange(len(key), device=key.device)
        for values, result in zip(parts, ordered, strict=True):
            result.index_copy_(0, place, values[part].index_select(0, order))
        free[distinct] += run
    return start, ordered


def row_numbers(crow: Tensor, part: slice) -> Tensor:
    """Return the row of every entry of a part of a matrix in compressed rows.

    Args:
        crow: where each row begins, ``[rows + 1]`` of whole numbers.
        part: which entries.

    Returns:
        ``[part.stop - part.start]`` int64.

    Example:
        >>> row_numbers(torch.tensor([0, 2, 2, 5]), slice(1, 4))
        tensor([0, 2, 2])
    """
    ends = torch.tensor([part.start, part.stop], dtype=crow.dtype, device=crow.device)
    first = int(torch.searchsorted(crow, ends[:1], right=True)) - 1
    last = int(torch.searchsorted(crow, ends[1:]))
    lengths = crow[first : last + 1].clamp(part.start, part.stop).diff()
    return torch.repeat_interleave(torch.arange(first, last, device=crow.device), lengths)
