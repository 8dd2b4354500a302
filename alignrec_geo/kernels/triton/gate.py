"""Gates and their gradients, one pass each."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from alignrec_geo.kernels import gate as plain
from alignrec_geo.kernels.triton.launch import on_device_of

ROWS = 32
"""Rows per program."""
WIDEST = 256
"""Wider rows do not fit a program's registers and take the torch path."""


def gate(table: Tensor, logits: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Backend ``triton`` of ``gate``; arguments and results as for :func:`alignrec_geo.kernels.gate.gate`."""
    count, width = table.shape
    if not table.numel() or width > WIDEST:
        return plain.gate(table, logits, bias)
    table, logits = table.contiguous(), logits.contiguous()
    result, gates = torch.empty_like(table), torch.empty_like(table)
    with on_device_of(table):
        grid = (triton.cdiv(count, ROWS),)
        gated[grid](table, logits, bias, result, gates, count, width, ROWS=ROWS, WIDTH=triton.next_power_of_2(width))
    return result, gates


def gradient(grad: Tensor, table: Tensor, gates: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients; arguments and results as for :func:`alignrec_geo.kernels.gate.gradient`."""
    count, width = table.shape
    if not table.numel() or width > WIDEST:
        return plain.gradient(grad, table, gates)
    grad, table = grad.contiguous(), table.contiguous()
    of_table, slope = torch.empty_like(table), torch.empty_like(table)
    programs = triton.cdiv(count, ROWS)
    sums = table.new_empty(programs, width)
    tables = grad, table, gates, of_table, slope, sums
    with on_device_of(table):
        slopes[(programs,)](*tables, count, width, ROWS=ROWS, WIDTH=triton.next_power_of_2(width))
    return of_table, slope, sums.sum(dim=0)


@triton.jit
def gated(
    table: tl.tensor,
    logits: tl.tensor,
    bias: tl.tensor,
    result: tl.tensor,
    gates: tl.tensor,
    count: tl.tensor,
    width: tl.tensor,
    ROWS: tl.constexpr,
    WIDTH: tl.constexpr,
) -> None:
    """Some rows."""
    row = (tl.program_id(0) * ROWS + tl.arange(0, ROWS)).to(tl.int64)
    feature = tl.arange(0, WIDTH)
    inside = (row < count)[:, None] & (feature < width)[None, :]
    place = row[:, None] * width + feature[None, :]
    logit = tl.load(logits + place, mask=inside, other=0.0)
    logit += tl.load(bias + feature, mask=feature < width, other=0.0)[None, :]
    open_ = 1.0 / (1.0 + tl.exp(-logit))
    tl.store(gates + place, open_, mask=inside)
    tl.store(result + place, tl.load(table + place, mask=inside, other=0.0) * open_, mask=inside)


@triton.jit
def slopes(
    grad: tl.tensor,
    table: tl.tensor,
    gates: tl.tensor,
    of_table: tl.tensor,
    slope: tl.tensor,
    sums: tl.tensor,
    count: tl.tensor,
    width: tl.tensor,
    ROWS: tl.constexpr,
    WIDTH: tl.constexpr,
) -> None:
    """Some rows, and the sums of their slopes, which torch adds up in a fixed order."""
    row = (tl.program_id(0) * ROWS + tl.arange(0, ROWS)).to(tl.int64)
    feature = tl.arange(0, WIDTH)
    inside = (row < count)[:, None] & (feature < width)[None, :]
    place = row[:, None] * width + feature[None, :]
    arriving = tl.load(grad + place, mask=inside, other=0.0)
    open_ = tl.load(gates + place, mask=inside, other=0.0)
    tl.store(of_table + place, arriving * open_, mask=inside)
    steep = arriving * tl.load(table + place, mask=inside, other=0.0) * open_ * (1.0 - open_)
    tl.store(slope + place, steep, mask=inside)
    tl.store(sums + tl.program_id(0).to(tl.int64) * width + feature, tl.sum(steep, axis=0), mask=feature < width)
