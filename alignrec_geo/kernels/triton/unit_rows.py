"""Rows of unit length and their gradient, one pass each."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from alignrec_geo.kernels import unit_rows
from alignrec_geo.kernels.triton.launch import on_device_of

WIDEST = 8192
"""Wider rows do not fit a program's registers and take the torch path."""
NUMBERS = 1024
"""Numbers per program, at least one row."""


def normalise(x: Tensor) -> tuple[Tensor, Tensor]:
    """Backend ``triton`` of ``unit_rows``.

    Args:
        x: ``[N, D]``.

    Returns:
        The unit rows ``[N, D]``, and one over each row's length ``[N]``, negative where it was too short.
    """
    count, width = x.shape
    if not x.numel() or width > WIDEST:
        return unit_rows.normalise(x)
    x = x.contiguous()
    unit, inverse = torch.empty_like(x), x.new_empty(count)
    columns = triton.next_power_of_2(width)
    rows = max(NUMBERS // columns, 1)
    with on_device_of(x):
        lengths[(triton.cdiv(count, rows),)](x, unit, inverse, count, width, ROWS=rows, WIDTH=columns)
    return unit, inverse


def gradient(grad: Tensor, unit: Tensor, inverse: Tensor) -> Tensor:
    """The gradient of :func:`normalise`; arguments and result as :func:`alignrec_geo.kernels.unit_rows.gradient`."""
    count, width = grad.shape
    if not grad.numel() or width > WIDEST:
        return unit_rows.gradient(grad, unit, inverse)
    grad = grad.contiguous()
    result = torch.empty_like(grad)
    columns = triton.next_power_of_2(width)
    rows = max(NUMBERS // columns, 1)
    with on_device_of(grad):
        turned[(triton.cdiv(count, rows),)](grad, unit, inverse, result, count, width, ROWS=rows, WIDTH=columns)
    return result


@triton.jit
def lengths(
    x: tl.tensor,
    unit: tl.tensor,
    inverse: tl.tensor,
    count: tl.tensor,
    width: tl.tensor,
    ROWS: tl.constexpr,
    WIDTH: tl.constexpr,
) -> None:
    """Divide rows by their lengths."""
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    feature = tl.arange(0, WIDTH)
    inside = (row < count)[:, None] & (feature < width)[None, :]
    place = row.to(tl.int64)[:, None] * width + feature[None, :]
    value = tl.load(x + place, mask=inside, other=0.0)
    length = tl.sqrt(tl.sum(value * value, axis=1))
    over = 1.0 / tl.maximum(length, 1e-12)
    tl.store(unit + place, value * over[:, None], mask=inside)
    tl.store(inverse + row, tl.where(length >= 1e-12, over, -over), mask=row < count)


@triton.jit
def turned(
    grad: tl.tensor,
    unit: tl.tensor,
    inverse: tl.tensor,
    result: tl.tensor,
    count: tl.tensor,
    width: tl.tensor,
    ROWS: tl.constexpr,
    WIDTH: tl.constexpr,
) -> None:
    """What of a gradient turns its row, over the row's length; a constant divisor turns nothing."""
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    feature = tl.arange(0, WIDTH)
    inside = (row < count)[:, None] & (feature < width)[None, :]
    place = row.to(tl.int64)[:, None] * width + feature[None, :]
    slope = tl.load(grad + place, mask=inside, other=0.0)
    direction = tl.load(unit + place, mask=inside, other=0.0)
    over = tl.load(inverse + row, mask=row < count, other=1.0)
    along = tl.where(over > 0.0, tl.sum(slope * direction, axis=1), 0.0)
    tl.store(result + place, (slope - direction * along[:, None]) * tl.abs(over)[:, None], mask=inside)
