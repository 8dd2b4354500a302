"""Adding up rows by number: sorted first, then one sum per distinct row, no atomics."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from alignrec_geo.kernels.gather import Order
from alignrec_geo.kernels.triton.launch import on_device_of, padded

PLACES = 8
"""Sorted rows per program."""
WIDEST = 128
"""Columns per program."""
KEYS, OTHERS = 8, 512
"""Keys per program of the sort, and keys they are compared with at a time."""
MOST_COMPARED = 16384
"""Of more rows not all pairs are compared; they are sorted by torch."""


def accumulate(grad: Tensor, rows: Tensor, size: int, order: Order | None = None) -> Tensor:
    """Backend ``triton`` of ``gather``: add row ``j`` of ``grad`` to row ``rows[j]`` of a table of zeros.

    Args:
        grad: ``[n, D]``.
        rows: ``[n]`` int64.
        size: rows of the table, ``N``.
        order: of ``rows``, if it is known.

    Returns:
        ``[N, D]``, the same bits on every run.
    """
    grad = grad.contiguous()
    table = grad.new_zeros(size, grad.shape[1])
    count, width = grad.shape
    if not grad.numel():
        return table
    tile = padded(width, 1, WIDEST)
    with on_device_of(grad):
        target, source = in_order(rows, size) if order is None else order
        grid = (triton.cdiv(count, PLACES), triton.cdiv(width, tile))
        segment_sums[grid](grad, target, source, table, count, width, PLACES=PLACES, WIDTH=tile)
    return table


def in_order(rows: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Return the rows in order, and where each came from, equal ones in their old order."""
    count = len(rows)
    if count > MOST_COMPARED:
        return torch.sort(rows, stable=True)
    target, source = torch.empty_like(rows), torch.empty_like(rows)
    if count:
        with on_device_of(rows):
            grid = (triton.cdiv(count, KEYS),)
            rank_sort[grid](rows, target, source, count, KEYS=KEYS, OTHERS=OTHERS, NARROW=size * count < 2**31)
    return target, source


@triton.jit
def rank_sort(
    rows: tl.tensor,
    target: tl.tensor,
    source: tl.tensor,
    count: tl.tensor,
    KEYS: tl.constexpr,
    OTHERS: tl.constexpr,
    NARROW: tl.constexpr,
) -> None:
    """A key's place is the number of keys before it: all pairs are compared, in one launch and without waiting."""
    place = tl.program_id(0) * KEYS + tl.arange(0, KEYS)
    exists = place < count
    row = tl.load(rows + place, mask=exists, other=0)
    # a row and its place in one number: no two are equal, and one comparison tells the order
    key = row.to(tl.int32) * count + place if NARROW else row.to(tl.int64) * count + place
    before = tl.zeros([KEYS, OTHERS], dtype=tl.int32)
    for start in range(0, count, OTHERS):
        other_place = start + tl.arange(0, OTHERS)
        there = other_place < count
        other = tl.load(rows + other_place, mask=there, other=0)
        other_key = other.to(tl.int32) * count + other_place if NARROW else other.to(tl.int64) * count + other_place
        before += ((other_key[None, :] < key[:, None]) & there[None, :]).to(tl.int32)
    rank = tl.sum(before, axis=1)
    tl.store(target + rank, row, mask=exists)
    tl.store(source + rank, place.to(source.dtype.element_ty), mask=exists)


@triton.jit
def segment_sums(
    grad: tl.tensor,
    target: tl.tensor,
    source: tl.tensor,
    table: tl.tensor,
    count: tl.tensor,
    width: tl.tensor,
    PLACES: tl.constexpr,
    WIDTH: tl.constexpr,
) -> None:
    """Where a run of equal targets begins, follow it to its end; all other places have nothing to do."""
    place = tl.program_id(0) * PLACES + tl.arange(0, PLACES)
    exists = place < count
    row = tl.load(target + place, mask=exists, other=-1)
    before = tl.load(target + place - 1, mask=exists & (place > 0), other=-1)
    first = exists & (row != before)
    feature = tl.program_id(1) * WIDTH + tl.arange(0, WIDTH)
    inside = (feature < width)[None, :]
    total = tl.zeros([PLACES, WIDTH], dtype=grad.dtype.element_ty)
    active = first
    while tl.max(active.to(tl.int32), axis=0) > 0:
        origin = tl.load(source + place, mask=active, other=0)[:, None]
        total += tl.load(grad + origin * width + feature[None, :], mask=active[:, None] & inside, other=0.0)
        place += 1
        active = active & (place < count)
        active = active & (tl.load(target + place, mask=active, other=-1) == row)
    tl.store(table + row[:, None] * width + feature[None, :], total, mask=first[:, None] & inside)
