"""A sparse matrix times a dense one: rows of similar length share a program, no atomics."""

from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from alignrec_geo.kernels.triton.launch import on_device_of, padded

ROWS = 16
"""Short rows per program."""
UNROLL = 4
"""Entries of a short row that are loaded before the first is used."""
LONGEST_SHORT = 32
"""Rows with more entries get programs of their own. A power of two."""
PART = 256
"""Entries of a long row per program: a popular item's row would keep all others waiting."""
CHUNK = 32
"""Entries of a part taken at a time."""
WIDEST = 128
"""Columns of the dense matrix per program."""


class Plan(NamedTuple):
    """Which rows run together; depends on the pattern of the matrix only."""

    short: Tensor
    """Rows of at most ``LONGEST_SHORT`` entries by length class, int32."""
    part_row: Tensor
    """Row of every part of the other rows, longest rows first, int32."""
    part_start: Tensor
    """Its first entry, counted from the row's first, int32."""
    part_slot: Tensor
    """Where its sum waits for the row's other parts; -1 if it is the whole row, int32."""
    split_row: Tensor
    """The rows of several parts, int32."""
    split_start: Tensor
    """Where the sums of each split row's parts begin, and in the end their number, int32."""
    slots: int
    """Sums that wait."""


_plans = WeakTensorKeyDictionary()


def multiply(matrix: Tensor, x: Tensor, base: Tensor | None = None, out: Tensor | None = None) -> Tensor:
    """Backend ``triton`` of ``spmm``: ``matrix @ x``, plus ``base`` if given.

    Args:
        matrix: sparse CSR tensor ``[rows, cols]`` with int32 columns; row pointers int32 or int64.
        x: ``[cols, D]``.
        base: ``[rows, D]``, added to the product.
        out: ``[rows, D]``, contiguous, to write into; neither ``x`` nor ``base``.
    """
    x, base = x.contiguous(), None if base is None else base.contiguous()
    width = x.shape[1]
    result = x.new_empty(matrix.shape[0], width) if out is None else out
    if not result.numel():
        return result
    rows = plan(matrix)
    tile = padded(width, 1, WIDEST)
    tables = matrix.crow_indices(), matrix.col_indices(), matrix.values(), x, base, result
    blocks = triton.cdiv(width, tile)
    with on_device_of(x):
        sums = x.new_empty(max(rows.slots, 1), width)
        parts = rows.part_row, rows.part_start, rows.part_slot
        sizes = {"ROWS": ROWS, "UNROLL": UNROLL, "PART": PART, "CHUNK": CHUNK, "WIDTH": tile}
        grid = (len(rows.part_row) + triton.cdiv(len(rows.short), ROWS), blocks)
        products[grid](*tables, sums, *parts, len(rows.part_row), rows.short, len(rows.short), width, **sizes)
        if rows.slots:
            split = rows.split_row, rows.split_start
            add_parts[(len(rows.split_row), blocks)](sums, base, result, *split, width, CHUNK=CHUNK, WIDTH=tile)
    return result


def plan(matrix: Tensor) -> Plan:
    """Return the order in which the rows of a CSR tensor run; computed once per tensor and kept as long as it lives."""
    found: Plan | None = _plans.get(matrix)
    if found is None:
        length = matrix.crow_indices().diff()
        classes = torch.bucketize(length, 2 ** torch.arange(LONGEST_SHORT.bit_length(), device=length.device))
        order = torch.argsort(classes, stable=True)
        count = int((length <= LONGEST_SHORT).sum())
        long = order[count:]
        long = long[torch.argsort(length[long], descending=True, stable=True)]
        found = _plans[matrix] = Plan(order[:count].int(), *_parts(long, length[long]))
    return found


def _parts(rows: Tensor, length: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, int]:
    """Split long rows into parts of :data:`PART` entries; the longest rows come first, so the split ones do."""
    count = (length + PART - 1) // PART  # parts of each row
    place = torch.repeat_interleave(torch.arange(len(rows), device=rows.device), count)
    first = count.cumsum(0) - count
    within = torch.arange(len(place), device=rows.device) - first[place]
    split = int((count > 1).sum())
    slots = int(count[:split].sum())
    slot = torch.arange(len(place), device=rows.device)
    slot = torch.where(slot < slots, slot, -1)
    bounds = torch.cat([first[:split], first.new_full((1,), slots)])
    return rows[place].int(), (within * PART).int(), slot.int(), rows[:split].int(), bounds.int(), slots


@triton.jit
def products(
    crow: tl.tensor,
    col: tl.tensor,
    value: tl.tensor,
    x: tl.tensor,
    base: tl.tensor,
    out: tl.tensor,
    sums: tl.tensor,
    part_row: tl.tensor,
    part_start: tl.tensor,
    part_slot: tl.tensor,
    part_count: tl.tensor,
    order: tl.tensor,
    count: tl.tensor,
    width: tl.tensor,
    ROWS: tl.constexpr,
    UNROLL: tl.constexpr,
    PART: tl.constexpr,
    CHUNK: tl.constexpr,
    WIDTH: tl.constexpr,
) -> None:
    """All rows in one launch, the long ones first: what is short fills up the machine beside them."""
    program = tl.program_id(0)
    if program < part_count:
        long_rows(crow, col, value, x, base, out, sums, part_row, part_start, part_slot, width, PART, CHUNK, WIDTH)
    else:
        short_rows(crow, col, value, x, base, out, order, program - part_count, count, width, ROWS, UNROLL, WIDTH)


@triton.jit
def short_rows(
    crow: tl.tensor,
    col: tl.tensor,
    value: tl.tensor,
    x: tl.tensor,
    base: tl.tensor,
    out: tl.tensor,
    order: tl.tensor,
    program: tl.tensor,
    count: tl.tensor,
    width: tl.tensor,
    ROWS: tl.constexpr,
    UNROLL: tl.constexpr,
    WIDTH: tl.constexpr,
) -> None:
    """``ROWS`` rows per program, one entry of each at a time, up to the longest of them."""
    place = program * ROWS + tl.arange(0, ROWS)
    exists = place < count
    row = tl.load(order + place, mask=exists, other=0)
    start = tl.load(crow + row)
    length = tl.where(exists, tl.load(crow + row + 1) - start, 0)
    feature = tl.program_id(1) * WIDTH + tl.arange(0, WIDTH)
    inside = (feature < width)[None, :]
    total = tl.zeros([ROWS, WIDTH], dtype=x.dtype.element_ty)
    for step in range(0, tl.max(length, axis=0), UNROLL):
        for offset in tl.static_range(UNROLL):
            taken = step + offset < length
            entry = start + step + offset
            source = tl.load(col + entry, mask=taken, other=0).to(tl.int64)[:, None]
            weight = tl.load(value + entry, mask=taken, other=0.0)[:, None]
            total += weight * tl.load(x + source * width + feature[None, :], mask=taken[:, None] & inside, other=0.0)
    target = row.to(tl.int64)[:, None] * width + feature[None, :]
    stored = exists[:, None] & inside
    if base is not None:
        total += tl.load(base + target, mask=stored, other=0.0)
    tl.store(out + target, total, mask=stored)


@triton.jit
def long_rows(
    crow: tl.tensor,
    col: tl.tensor,
    value: tl.tensor,
    x: tl.tensor,
    base: tl.tensor,
    out: tl.tensor,
    sums: tl.tensor,
    part_row: tl.tensor,
    part_start: tl.tensor,
    part_slot: tl.tensor,
    width: tl.tensor,
    PART: tl.constexpr,
    CHUNK: tl.constexpr,
    WIDTH: tl.constexpr,
) -> None:
    """One part of a row per program, ``CHUNK`` entries at a time into as many partial sums, added up at the end."""
    row = tl.load(part_row + tl.program_id(0))
    slot = tl.load(part_slot + tl.program_id(0))
    start = tl.load(crow + row) + tl.load(part_start + tl.program_id(0))
    end = tl.minimum(tl.load(crow + row + 1), start + PART)
    feature = tl.program_id(1) * WIDTH + tl.arange(0, WIDTH)
    inside = feature < width
    partial = tl.zeros([CHUNK, WIDTH], dtype=x.dtype.element_ty)
    for step in range(start, end, CHUNK):
        entry = step + tl.arange(0, CHUNK)
        taken = entry < end
        source = tl.load(col + entry, mask=taken, other=0).to(tl.int64)[:, None]
        weight = tl.load(value + entry, mask=taken, other=0.0)[:, None]
        mask = taken[:, None] & inside[None, :]
        partial += weight * tl.load(x + source * width + feature[None, :], mask=mask, other=0.0)
    total = tl.sum(partial, axis=0)
    if slot >= 0:
        tl.store(sums + slot.to(tl.int64) * width + feature, total, mask=inside)
    else:
        target = row.to(tl.int64) * width + feature
        if base is not None:
            total += tl.load(base + target, mask=inside, other=0.0)
        tl.store(out + target, total, mask=inside)


@triton.jit
def add_parts(
    sums: tl.tensor,
    base: tl.tensor,
    out: tl.tensor,
    split_row: tl.tensor,
    split_start: tl.tensor,
    width: tl.tensor,
    CHUNK: tl.constexpr,
    WIDTH: tl.constexpr,
) -> None:
    """The sums of a row's parts, added up in their order."""
    row = tl.load(split_row + tl.program_id(0))
    start = tl.load(split_start + tl.program_id(0))
    end = tl.load(split_start + tl.program_id(0) + 1)
    feature = tl.program_id(1) * WIDTH + tl.arange(0, WIDTH)
    inside = feature < width
    partial = tl.zeros([CHUNK, WIDTH], dtype=sums.dtype.element_ty)
    for step in range(start, end, CHUNK):
        part = step + tl.arange(0, CHUNK)
        mask = (part < end)[:, None] & inside[None, :]
        partial += tl.load(sums + part.to(tl.int64)[:, None] * width + feature[None, :], mask=mask, other=0.0)
    total = tl.sum(partial, axis=0)
    target = row.to(tl.int64) * width + feature
    if base is not None:
        total += tl.load(base + target, mask=inside, other=0.0)
    tl.store(out + target, total, mask=inside)
