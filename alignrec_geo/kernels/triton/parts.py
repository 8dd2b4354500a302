"""Float32 numbers as sums of three bfloat16 numbers, which tensor cores multiply.

A bfloat16 holds 8 bits of the mantissa, three hold its 24. Of the nine products of two such sums the six largest are
formed, each exact and added up in float32: what is left out is below 2⁻²⁴ of the factors, so a product is as exact as
one in float32, at several times its rate.
"""

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

from alignrec_geo.kernels.triton.launch import INTERPRETED, on_device_of

NUMBER = 3
"""Parts of a number."""
TILE = 64
"""Rows and columns are filled up with zeros to a multiple of it, so that tiles need no masks."""
ROWS = 8
"""Rows per program."""
HOPPER_WARPS = 4
AMPERE = {"num_warps": 8, "num_stages": 2}

IN_FLOAT32 = tl.constexpr(INTERPRETED)
"""Triton's interpreter does not multiply bfloat16."""


def can_multiply(tensor: Tensor) -> bool:
    """Whether a GPU has tensor cores for bfloat16, and the numbers are float32."""
    capable = not tensor.is_cuda or torch.cuda.get_device_capability(tensor.device) >= (8, 0)
    return capable and tensor.dtype == torch.float32


def launch_options(tensor: Tensor, stages: int) -> dict[str, int]:
    """Warps and stages of kernels that multiply parts, by what a GPU's registers and shared memory hold.

    Args:
        tensor: on the GPU.
        stages: of compute capability 9.0; older GPUs, which have less shared memory, take 2.
    """
    hopper = tensor.is_cuda and torch.cuda.get_device_capability(tensor.device) >= (9, 0)
    return {"num_warps": HOPPER_WARPS, "num_stages": stages} if hopper else AMPERE


def split(tables: Sequence[Tensor]) -> Tensor:
    """Return the parts of tables with equally many rows, side by side.

    Args:
        tables: ``[n, w]`` or, for several of a width, ``[t, n, w]`` float32, of any widths ``w``.

    Returns:
        ``[3, n', w']`` bfloat16; each table begins at a multiple of :data:`TILE` columns.
    """
    stacks = [table if table.dim() == 3 else table[None] for table in tables]
    rows = stacks[0].shape[1]
    widths = [padded(stack.shape[2]) for stack in stacks]
    total = sum(len(stack) * width for stack, width in zip(stacks, widths, strict=True))
    parts = stacks[0].new_empty(NUMBER, padded(rows), total, dtype=torch.bfloat16)
    first = 0
    with on_device_of(parts):
        for stack, width in zip(stacks, widths, strict=True):
            grid = (parts.shape[1] // ROWS, width // TILE, len(stack))
            sizes = rows, stack.shape[2], parts.shape[1], total, width, first
            split_rows[grid](stack.contiguous(), parts, *sizes, ROWS=ROWS, COLUMNS=TILE)
            first += len(stack) * width
    return parts


def padded(count: int) -> int:
    """The next multiple of :data:`TILE`.

    Example:
        >>> padded(1), padded(64), padded(65)
        (64, 64, 128)
    """
    return max(1, -(-count // TILE)) * TILE


@triton.jit
def first_part(x: tl.tensor) -> tl.tensor:
    """The nearest bfloat16."""
    return x.to(tl.bfloat16)


@triton.jit
def rest(x: tl.tensor, part: tl.tensor) -> tl.tensor:
    """What a part leaves of a number, exactly."""
    return x - part.to(tl.float32)


@triton.jit
def product(
    a1: tl.tensor, a2: tl.tensor, a3: tl.tensor, b1: tl.tensor, b2: tl.tensor, b3: tl.tensor, total: tl.tensor
) -> tl.tensor:
    """``total + (a1 + a2 + a3) (b1 + b2 + b3)``, small products first.

    Tensor cores cut off what does not fit their sums, so that long sums in them lose more than rounded ones do; these
    are as long as a tile, and added up by rounding.
    """
    if IN_FLOAT32:
        a = a1.to(tl.float32) + a2.to(tl.float32) + a3.to(tl.float32)
        b = b1.to(tl.float32) + b2.to(tl.float32) + b3.to(tl.float32)
        total = tl.dot(a, b, total, input_precision="ieee")
    else:
        part = tl.dot(a3, b1)
        part = tl.dot(a1, b3, part)
        part = tl.dot(a2, b2, part)
        part = tl.dot(a2, b1, part)
        part = tl.dot(a1, b2, part)
        total += tl.dot(a1, b1, part)
    return total


@triton.jit
def split_rows(
    table: tl.tensor,
    parts: tl.tensor,
    count: tl.tensor,
    width: tl.tensor,
    padded_rows: tl.tensor,
    padded_width: tl.tensor,
    own_width: tl.tensor,
    first: tl.tensor,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
) -> None:
    """Some rows and columns of a table, zeros beyond its ends."""
    number = tl.program_id(2)
    row = (tl.program_id(0) * ROWS + tl.arange(0, ROWS)).to(tl.int64)
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    inside = (row < count)[:, None] & (column < width)[None, :]
    x = tl.load(table + (number * count + row)[:, None] * width + column[None, :], mask=inside, other=0.0)
    target = parts + row[:, None] * padded_width + first + number * own_width + column[None, :]
    store_parts(target, x, padded_rows.to(tl.int64) * padded_width)


@triton.jit
def store_parts(target: tl.tensor, x: tl.tensor, distance: tl.tensor) -> None:
    """Store the parts of numbers, each so far from the one before it."""
    x1 = first_part(x)
    x = rest(x, x1)
    x2 = first_part(x)
    tl.store(target, x1)
    tl.store(target + distance, x2)
    tl.store(target + 2 * distance, first_part(rest(x, x2)))
