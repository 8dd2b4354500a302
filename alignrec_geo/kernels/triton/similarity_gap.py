"""The similarity regulariser by one Gram matrix on tensor cores, as exact as float32."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from alignrec_geo.kernels import similarity_gap
from alignrec_geo.kernels.triton.launch import on_device_of
from alignrec_geo.kernels.triton.parts import (
    NUMBER,
    TILE,
    can_multiply,
    launch_options,
    padded,
    product,
    split,
    store_parts,
)

SHARES = 4
"""The inner dimension of the gradient's product is cut in so many pieces: the batch alone makes too few programs."""
STAGES = 3


def grams(hidden: Tensor, anchor: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Backend ``triton`` of ``similarity_gap``: all inner products of columns of ``[V, H]`` in one launch.

    Arguments and results are those of :func:`alignrec_geo.kernels.similarity_gap.grams`.
    """
    if not hidden.numel() or not anchor.numel() or not can_multiply(hidden) or anchor.dtype != hidden.dtype:
        return similarity_gap.grams(hidden, anchor)
    columns = split([anchor, hidden])  # [3, B', C]
    _, size, width = columns.shape
    own = padded(hidden.shape[1])
    tiles = width // TILE
    corner = columns.new_empty(NUMBER, width, own)
    squares = hidden.new_empty(tiles * (tiles + 1) // 2, dtype=torch.float64)
    with on_device_of(hidden):
        grid = (len(squares),)
        gram_tiles[grid](columns, corner, squares, size, width, own, TILE=TILE, **launch_options(hidden, STAGES))
    return squares.sum(), (hidden, columns, corner)


def slope(saved: tuple[Tensor, ...]) -> Tensor:
    """``H (HᵀH) − V (VᵀH)``; see :func:`alignrec_geo.kernels.similarity_gap.slope`."""
    if len(saved) != 3:  # made by torch
        return similarity_gap.slope(saved)
    hidden, columns, corner = saved
    _, size, width = columns.shape
    pieces = hidden.new_empty(SHARES, size, corner.shape[2])
    with on_device_of(hidden):
        grid = (size // TILE, corner.shape[2] // TILE, SHARES)
        sizes = size, width, corner.shape[2]
        slope_tiles[grid](columns, corner, pieces, *sizes, SHARES=SHARES, TILE=TILE, **launch_options(hidden, STAGES))
    return pieces.sum(dim=0)[: len(hidden), : hidden.shape[1]]


@triton.jit
def gram_tiles(
    columns: tl.tensor,
    corner: tl.tensor,
    squares: tl.tensor,
    size: tl.tensor,
    width: tl.tensor,
    own: tl.tensor,
    TILE: tl.constexpr,
) -> None:
    """One tile on or above the diagonal of ``[V, H]ᵀ [V, H]``.

    Its sum of squares counts as it does in the gap: those of ``VᵀV`` and ``HᵀH`` plus, those of ``VᵀH`` minus, twice
    what is off the diagonal. The columns of ``H``, ``VᵀH`` negated, are what the gradient is made of.
    """
    number = tl.program_id(0)
    # tiles of the upper triangle are numbered column by column; a root in float32 may be one off
    right = ((tl.sqrt(8.0 * number.to(tl.float32) + 1.0) - 1.0) / 2.0).to(tl.int32)
    right = tl.where(right * (right + 1) // 2 > number, right - 1, right)
    right = tl.where((right + 1) * (right + 2) // 2 <= number, right + 1, right)
    left = number - right * (right + 1) // 2
    part = size.to(tl.int64) * width
    row = tl.arange(0, TILE)
    first = columns + left * TILE + tl.arange(0, TILE)
    second = columns + right * TILE + tl.arange(0, TILE)
    total = tl.zeros([TILE, TILE], dtype=tl.float32)
    for start in range(0, size, TILE):
        place = (start + row).to(tl.int64)[:, None] * width
        a = first[None, :] + place
        b = second[None, :] + place
        total = product(
            tl.trans(tl.load(a)),
            tl.trans(tl.load(a + part)),
            tl.trans(tl.load(a + 2 * part)),
            tl.load(b),
            tl.load(b + part),
            tl.load(b + 2 * part),
            total,
        )
    borders = (width - own) // TILE  # where the tiles of H begin
    crossing = (left < borders) & (right >= borders)
    counted = tl.where(crossing, -2.0, tl.where(left == right, 1.0, 2.0))
    exact = total.to(tl.float64)
    tl.store(squares + number, tl.sum(tl.sum(exact * exact, axis=1), axis=0) * counted)
    if right >= borders:
        total = tl.where(crossing, -total, total)
        row_number = (left * TILE + row).to(tl.int64)
        column_number = (right - borders) * TILE + tl.arange(0, TILE)
        store_parts(corner + row_number[:, None] * own + column_number[None, :], total, width.to(tl.int64) * own)
        if (left >= borders) & (left < right):  # HᵀH is needed whole
            row_number = (right * TILE + row).to(tl.int64)
            column_number = (left - borders) * TILE + tl.arange(0, TILE)
            target = corner + row_number[:, None] * own + column_number[None, :]
            store_parts(target, tl.trans(total), width.to(tl.int64) * own)


@triton.jit
def slope_tiles(
    columns: tl.tensor,
    corner: tl.tensor,
    pieces: tl.tensor,
    size: tl.tensor,
    width: tl.tensor,
    own: tl.tensor,
    SHARES: tl.constexpr,
    TILE: tl.constexpr,
) -> None:
    """A share of the inner dimension of one tile of ``[V, H] [−VᵀH; HᵀH]``."""
    row = (tl.program_id(0) * TILE + tl.arange(0, TILE)).to(tl.int64)
    column = tl.program_id(1) * TILE + tl.arange(0, TILE)
    share = tl.program_id(2)
    length = tl.cdiv(width // TILE, SHARES) * TILE
    inner = tl.arange(0, TILE)
    a_part, b_part = size.to(tl.int64) * width, width.to(tl.int64) * own
    total = tl.zeros([TILE, TILE], dtype=tl.float32)
    for start in range(share * length, tl.minimum(share * length + length, width), TILE):
        a = columns + row[:, None] * width + start + inner[None, :]
        b = corner + (start + inner).to(tl.int64)[:, None] * own + column[None, :]
        total = product(
            tl.load(a),
            tl.load(a + a_part),
            tl.load(a + 2 * a_part),
            tl.load(b),
            tl.load(b + b_part),
            tl.load(b + 2 * b_part),
            total,
        )
    tl.store(pieces + (share * size + row)[:, None] * own + column[None, :], total)
