"""The best-scored items per user: scores exist in tiles only, each program keeps the best of its share of the items."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from alignrec_geo.kernels import topk
from alignrec_geo.kernels.triton.launch import on_device_of, padded

USERS = 16
"""Users per program."""
ITEMS = 128
"""Items scored at a time."""
TILES = 8
"""Tiles of items per program."""
DEPTH = 32
"""Columns of the embeddings multiplied at a time."""
MOST = 128
"""Longer lists take the torch path: they do not fit the registers of a program."""

_LOW = 0x7FFFFFFF
"""Mask of the low 31 bits of a key: what an item number is inverted in, and what is flipped in a negative score."""


def best_items(users: Tensor, items: Tensor, k: int, seen: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor]:
    """Backend ``triton`` of ``topk``: score, exclude and select in one kernel, then one selection among its candidates.

    A score and its item are one 64-bit number, the score's bits in an order-preserving form above the inverted item
    number, so keys are distinct: the result does not depend on who compares first, and at equal scores the lower item
    wins. Other types than float32 and more than ``MOST`` items take the torch path.

    Args:
        users: ``[b, D]``.
        items: ``[I, D]``.
        k: how many.
        seen: row within the block and item of every excluded pair, ``[s]`` int64 each; or ``None``.

    Returns:
        Scores ``[b, k]`` and items ``[b, k]``; at equal scores the lower item first.
    """
    (count, width), total = users.shape, len(items)
    k = min(k, total)
    if users.dtype != torch.float32 or k > MOST or not (k and count and width):
        return topk.best_items(users, items, k, seen)
    users, items = users.contiguous(), items.contiguous()
    kept = padded(k, 1, MOST)
    chunks = triton.cdiv(total, ITEMS * TILES)
    candidates = torch.empty(count, chunks, kept, dtype=torch.int64, device=users.device)
    column, border = (None, None) if seen is None else _by_tile(*seen, count, total, chunks * TILES)
    with on_device_of(users):
        grid = (triton.cdiv(count, USERS), chunks)
        sizes = {"K": kept, "USERS": USERS, "ITEMS": ITEMS, "TILES": TILES, "DEPTH": DEPTH}
        select[grid](users, items, column, border, candidates, count, total, width, **sizes)
    keys = candidates.flatten(1).topk(k, dim=1).values
    high = (keys >> 32).int()
    return (high ^ ((high >> 31) & _LOW)).view(torch.float32), _LOW - (keys & _LOW)


def _by_tile(row: Tensor, item: Tensor, count: int, total: int, tiles: int) -> tuple[Tensor, Tensor]:
    """Excluded items by user and item, and where each user's share of each tile begins, ``[count, tiles + 1]``."""
    place = torch.sort(row * total + item).values
    edge = (torch.arange(tiles + 1, device=row.device) * ITEMS).clamp(max=total)
    start = torch.arange(count, device=row.device)[:, None] * total + edge
    return (place % total).int(), torch.searchsorted(place, start).int()


@triton.jit
def select(
    users: tl.tensor,
    items: tl.tensor,
    column: tl.tensor,
    border: tl.tensor,
    candidates: tl.tensor,
    count: tl.tensor,
    total: tl.tensor,
    width: tl.tensor,
    K: tl.constexpr,
    USERS: tl.constexpr,
    ITEMS: tl.constexpr,
    TILES: tl.constexpr,
    DEPTH: tl.constexpr,
) -> None:
    """``USERS`` users against ``TILES`` tiles of items; the best ``K`` so far are merged with those of each tile."""
    LOWEST: tl.constexpr = -(2**63)
    row = tl.program_id(0) * USERS + tl.arange(0, USERS)
    exists = row < count
    user = row.to(tl.int64)[:, None] * width
    best = tl.full([USERS, K], LOWEST, dtype=tl.int64)
    first = tl.program_id(1) * TILES
    for tile in range(first, tl.minimum(first + TILES, tl.cdiv(total, ITEMS))):
        item = tile * ITEMS + tl.arange(0, ITEMS)
        score = tl.zeros([USERS, ITEMS], dtype=tl.float32)
        for start in range(0, width, DEPTH):
            feature = start + tl.arange(0, DEPTH)
            inside = (feature < width)[None, :]
            u = tl.load(users + user + feature[None, :], mask=exists[:, None] & inside, other=0.0)
            place = item.to(tl.int64)[:, None] * width + feature[None, :]
            i = tl.load(items + place, mask=(item < total)[:, None] & inside, other=0.0)
            score = tl.dot(u, tl.trans(i), score, input_precision="ieee")
        if column is not None:
            place = row * (tl.num_programs(1) * TILES + 1) + tile
            start = tl.load(border + place, mask=exists, other=0)
            end = tl.load(border + place + 1, mask=exists, other=0)
            for offset in range(tl.max(end - start, axis=0)):
                entry = start + offset
                out = tl.load(column + entry, mask=entry < end, other=-1)
                score = tl.where(item[None, :] == out[:, None], float("-inf"), score)
        score = tl.where(score == 0.0, 0.0, score)  # -0 equals 0
        bits = score.to(tl.int32, bitcast=True)
        ordered = (bits ^ ((bits >> 31) & 0x7FFFFFFF)).to(tl.int64)
        key = (ordered << 32) | (0x7FFFFFFF - item).to(tl.int64)[None, :]
        key = tl.where((item < total)[None, :], key, LOWEST)
        # one list rises, the other falls: their maximum place by place is the best K of both
        best = tl.sort(tl.maximum(best, tl.topk(key, K, dim=1)), dim=1)
    place = (row.to(tl.int64) * tl.num_programs(1) + tl.program_id(1))[:, None] * K + tl.arange(0, K)[None, :]
    tl.store(candidates + place, best, mask=exists[:, None])
