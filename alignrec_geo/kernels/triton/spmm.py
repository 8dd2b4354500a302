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
"""Rows with more entries get a program of their own. A power of two."""
CHUNK = 32
"""Entries of a long row taken at a time."""
WIDEST = 128
"""Columns of the dense matrix per program."""


class Plan(NamedTuple):
    """Which rows run together; depends on the pattern of the matrix only."""

    short: Tensor
    """Rows of at most ``LONGEST_SHORT`` entries by length class, int32."""
    long: Tensor
    """All other rows, longest first, int32."""


_plans = WeakTensorKeyDictionary()


def multiply(matrix: Tensor, x: Tensor, base: Tensor | None = None, out: Tensor | None = None) -> Tensor:
    """Backend ``triton`` of ``spmm``: ``matrix @ x``, plus ``base`` if given.

    Args:
        matrix: sparse CSR tensor ``[rows, cols]`` with int32 indices.
        x: ``[cols, D]``.
        base: ``[rows, D]``, added to the product.
        out: ``[rows, D]``, contiguous, to write into; neither ``x`` nor ``base``.
    """
    x, base = x.contiguous(), None if base is None else base.contiguous()
    width = x.shape[1]
    result = x.new_empty(matrix.shape[0], width) if out is None else out
    if not result.numel():
        return result
    short, long = plan(matrix)
    tile = padded(width, 1, WIDEST)
    tables = matrix.crow_indices(), matrix.col_indices(), matrix.values(), x, base, result
    blocks = triton.cdiv(width, tile)
    with on_device_of(x):
        if len(short):
            grid = (triton.cdiv(len(short), ROWS), blocks)
            short_rows[grid](*tables, short, len(short), width, ROWS=ROWS, UNROLL=UNROLL, WIDTH=tile)
        if len(long):
            long_rows[(len(long), blocks)](*tables, long, width, CHUNK=CHUNK, WIDTH=tile)
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
        found = _plans[matrix] = Plan(order[:count].int(), long.int())
    return found


@triton.jit
def short_rows(
    crow: tl.tensor,
    col: tl.tensor,
    value: tl.tensor,
    x: tl.tensor,
    base: tl.tensor,
    out: tl.tensor,
    order: tl.tensor,
    count: tl.tensor,
    width: tl.tensor,
    ROWS: tl.constexpr,
    UNROLL: tl.constexpr,
    WIDTH: tl.constexpr,
) -> None:
    """``ROWS`` rows per program, one entry of each at a time, up to the longest of them."""
    place = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
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
    order: tl.tensor,
    width: tl.tensor,
    CHUNK: tl.constexpr,
    WIDTH: tl.constexpr,
) -> None:
    """One row per program, ``CHUNK`` entries at a time into as many partial sums, added up at the end."""
    row = tl.load(order + tl.program_id(0))
    start = tl.load(crow + row)
    end = tl.load(crow + row + 1)
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
    target = row.to(tl.int64) * width + feature
    if base is not None:
        total += tl.load(base + target, mask=inside, other=0.0)
    tl.store(out + target, total, mask=inside)
