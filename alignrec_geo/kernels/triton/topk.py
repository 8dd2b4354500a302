"""The best of long rows by their border: a row is read twice, and nothing but its best is put in order."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from alignrec_geo.kernels import topk
from alignrec_geo.kernels.excluded import ExcludedPairs
from alignrec_geo.kernels.topk import Ranking, score_blocks
from alignrec_geo.kernels.triton.launch import on_device_of

LONGEST = 32768
"""Longer rows do not fit a program's registers and take the torch path."""
NUMBERS_PER_WARP = 2048
"""Of a row that is held in registers."""
CHUNK = 1024
"""Columns that are gone through at a time once the border is known."""
GUESSES = 12
"""Steps that halve the interval of the border by value; after them its bits are halved, which always ends."""
MOST_COMPARED = 128
"""Up to so many best all pairs of a row are compared to put them in order; above, torch sorts them."""
PAIRS = 4096
"""Pairs compared per program, at least one row's."""


def rank_users(users: Tensor, items: Tensor, rows: Tensor, k: int, excluded: ExcludedPairs | None) -> Ranking:
    """Backend ``triton`` of ``topk``: product and :func:`top_k` per block (arguments as for the backend ``torch``)."""
    for chosen, scores in score_blocks(users, items, rows, excluded):
        yield chosen, *top_k(scores, k)


def top_k(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The same as :func:`alignrec_geo.kernels.topk.top_k`.

    A row's ``k``-th largest score is found by bisection on registers; then the scores above it, and as many of those
    equal to it as fit, are written in the order of their columns. Ties cost nothing but one more count.

    Args:
        scores: ``[B, I]``, no NaN. Other types than float32, and too long rows, go there.
        k: how many; all ``I`` if there are fewer.
    """
    rows, count = scores.shape
    if not 0 < k < count or not rows or count > LONGEST or scores.dtype != torch.float32:
        return topk.top_k(scores, k)
    scores = scores.contiguous()
    value, column = scores.new_empty(rows, k), torch.empty(rows, k, dtype=torch.long, device=scores.device)
    block = triton.next_power_of_2(count)
    warps = min(max(block // NUMBERS_PER_WARP, 1), 16)
    with on_device_of(scores):
        best_of_rows[(rows,)](
            scores, value, column, count, k, BLOCK=block, CHUNK=min(CHUNK, block), GUESSES=GUESSES, num_warps=warps
        )
        if k > MOST_COMPARED:
            value, order = value.sort(dim=1, descending=True, stable=True)
            return value, column.gather(1, order)
        sorted_value, sorted_column = torch.empty_like(value), torch.empty_like(column)
        side = triton.next_power_of_2(k)
        together = max(1, PAIRS // side**2)
        tables = value, column, sorted_value, sorted_column
        order_rows[(triton.cdiv(rows, together),)](*tables, rows, k, ROWS=together, SIDE=side)
    return sorted_value, sorted_column


@triton.jit
def key_of(value: tl.tensor) -> tl.tensor:
    """Integers in the order of float32 numbers; the two zeros are equal."""
    bits = tl.where(value == 0.0, 0.0, value).to(tl.int32, bitcast=True)
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)


@triton.jit
def value_of(key: tl.tensor) -> tl.tensor:
    """The number of a key."""
    return (key ^ ((key >> 31) & 0x7FFFFFFF)).to(tl.float32, bitcast=True)


@triton.jit
def best_of_rows(
    scores: tl.tensor,
    best: tl.tensor,
    best_column: tl.tensor,
    count: tl.tensor,
    k: tl.tensor,
    BLOCK: tl.constexpr,
    CHUNK: tl.constexpr,
    GUESSES: tl.constexpr,
) -> None:
    """One row: at least ``k`` scores reach ``low``, fewer reach ``high``, until nothing is between them."""
    row = scores + tl.program_id(0).to(tl.int64) * count
    place = tl.arange(0, BLOCK)
    key = key_of(tl.load(row + place, mask=place < count, other=float("-inf")))
    least = -2139095041  # the key of minus infinity
    low = least.to(tl.int64)  # type: ignore[attr-defined]  # a number of Triton's
    high = tl.max(key, axis=0).to(tl.int64) + 1
    reached = tl.sum((key > least).to(tl.int32), axis=0)
    if reached >= k:
        low = tl.min(tl.where(key > least, key, 0x7FFFFFFF), axis=0).to(tl.int64)
    else:  # minus infinity is among the best
        high = low + 1
    step = 0
    while (high - low > 1) & (reached != k):
        middle = (low + high) >> 1
        if step < GUESSES:  # scores are spread evenly by value rather than by bits
            half = value_of(low.to(tl.int32)) * 0.5 + value_of((high - 1).to(tl.int32)) * 0.5
            middle = tl.minimum(tl.maximum(key_of(half).to(tl.int64), low + 1), high - 1)
        above = tl.sum((key >= middle.to(tl.int32)).to(tl.int32), axis=0)
        if above >= k:
            low = middle
            reached = above
        else:
            high = middle
        step += 1
    border = low.to(tl.int32)
    room = k - tl.sum((key > border).to(tl.int32), axis=0)  # so many equal to the border are among the best
    if reached == k:  # then all that reach it are
        room = count
    best += tl.program_id(0).to(tl.int64) * k
    best_column += tl.program_id(0).to(tl.int64) * k
    filled = 0
    passed = 0
    for start in range(0, count, CHUNK):
        column = start + tl.arange(0, CHUNK)
        inside = column < count
        value = tl.load(row + column, mask=inside, other=float("-inf"))
        part = key_of(value)
        kept = inside & (part >= border)
        equal = (inside & (part == border)).to(tl.int32)
        equals = tl.sum(equal, axis=0)
        if passed + equals > room:
            kept = (inside & (part > border)) | ((equal > 0) & (passed + tl.cumsum(equal, axis=0) <= room))
        passed += equals
        target = filled + tl.cumsum(kept.to(tl.int32), axis=0) - 1
        filled += tl.sum(kept.to(tl.int32), axis=0)
        tl.store(best + target, value, mask=kept)
        tl.store(best_column + target, column.to(tl.int64), mask=kept)


@triton.jit
def order_rows(
    value: tl.tensor,
    column: tl.tensor,
    sorted_value: tl.tensor,
    sorted_column: tl.tensor,
    count: tl.tensor,
    k: tl.tensor,
    ROWS: tl.constexpr,
    SIDE: tl.constexpr,
) -> None:
    """Every score's place is the number of those before it: larger ones, and equal ones of lower columns."""
    row = (tl.program_id(0) * ROWS + tl.arange(0, ROWS)).to(tl.int64)
    number = tl.arange(0, SIDE)
    inside = (row < count)[:, None] & (number < k)[None, :]
    place = row[:, None] * k + number[None, :]
    score = tl.load(value + place, mask=inside, other=float("-inf"))
    mine, other = score[:, :, None], score[:, None, :]
    before = (other > mine) | ((other == mine) & (number[None, None, :] < number[None, :, None]))
    rank = tl.sum((before & (number < k)[None, None, :]).to(tl.int32), axis=2)
    target = row[:, None] * k + rank
    tl.store(sorted_value + target, score, mask=inside)
    tl.store(sorted_column + target, tl.load(column + place, mask=inside, other=0), mask=inside)
