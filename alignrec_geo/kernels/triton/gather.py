"""Adding up rows by number: sorted first, then one sum per distinct row, no atomics."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from alignrec_geo.kernels.triton.launch import on_device_of, padded

PLACES = 8
"""Sorted rows per program."""
WIDEST = 128
"""Columns per program."""


def accumulate(grad: Tensor, rows: Tensor, size: int) -> Tensor:
    """Backend ``triton`` of ``gather``: add row ``j`` of ``grad`` to row ``rows[j]`` of a table of zeros.

    Args:
        grad: ``[n, D]``.
        rows: ``[n]`` int64.
        size: rows of the table, ``N``.

    Returns:
        ``[N, D]``, the same bits on every run.
    """
    grad = grad.contiguous()
    table = grad.new_zeros(size, grad.shape[1])
    count, width = grad.shape
    if not grad.numel():
        return table
    target, source = torch.sort(rows, stable=True)
    tile = padded(width, 1, WIDEST)
    with on_device_of(grad):
        grid = (triton.cdiv(count, PLACES), triton.cdiv(width, tile))
        segment_sums[grid](grad, target, source, table, count, width, PLACES=PLACES, WIDTH=tile)
    return table


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
