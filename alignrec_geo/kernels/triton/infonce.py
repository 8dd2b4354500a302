"""InfoNCE on tensor cores, as exact as float32: the batch×batch matrix exists in tiles only."""

import triton
import triton.language as tl
from torch import Tensor

from alignrec_geo.kernels import infonce
from alignrec_geo.kernels.triton.launch import on_device_of
from alignrec_geo.kernels.triton.parts import (
    TILE,
    can_multiply,
    first_part,
    launch_options,
    padded,
    product,
    rest,
    split,
)

WIDEST = 128
"""Wider rows do not fit a program's registers and take the dense path."""
LARGEST_EXPONENT = 40.0
"""Up to this 1/τ no sum of exponentials of cosines leaves float32, whatever the cosines."""
PROGRAMS = 256
"""So many programs keep a large GPU busy; with fewer rows the columns are shared among several."""
MOST_SHARES = 8
STAGES = 2
"""With these two programs fit beside one of the regulariser, which runs at the same time."""
ROWS = 16
"""Rows per program that adds up the shares."""


def loss_and_gradients(
    query: Tensor, key: Tensor, temperature: float, ids: Tensor | None, weight: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Backend ``triton`` of ``infonce``: two passes over tiles of the logits, one per gradient.

    As the rows have unit length, ``exp((cos − 1) / τ)`` needs no maximum, so that columns can be shared among programs
    and their sums added. The passes form the logits twice, which costs less than to store them.

    Args:
        query: ``[G, B, D]``, unit rows.
        key: ``[G, B, D]``, unit rows.
        temperature: τ.
        ids: ``[G, B]`` or ``None``.
        weight: ``[B]`` or ``None``, how many rows each row stands for.

    Returns:
        Losses ``[G]`` and the gradients of their sum, ``[G, B, D]`` each.
    """
    groups, size, width = query.shape
    over = 1.0 / temperature
    fits = query.numel() and can_multiply(query) and width <= WIDEST and over <= LARGEST_EXPONENT
    if not fits or query.dtype != key.dtype:
        return infonce.dense_loss_and_gradients(query, key, temperature, ids, weight)
    query, key = query.contiguous(), key.contiguous()
    parts = split([query, key])  # [3, B', 2 G W], the tables of the queries before those of the keys
    padded_size = parts.shape[1]
    blocks = padded_size // TILE
    shares = max(1, min(MOST_SHARES, PROGRAMS // (blocks * groups), blocks))
    totals = query.new_empty(shares, groups, size)
    sums = query.new_empty(2, shares, groups, size, width)
    labels = None if ids is None else ids.contiguous()
    losses, gradients = query.new_empty(groups, size), query.new_empty(2, groups, size, width)
    pairs = query.new_full((), size) if weight is None else weight.sum().clamp(min=1).to(query.dtype)
    wide = padded(width)
    sizes = size, padded_size, groups, width, over, shares
    tiles = {"MOST": MOST_SHARES, "TILE": TILE, "WIDTH": wide, **launch_options(query, STAGES)}
    with on_device_of(query):
        grid = blocks, groups, shares
        pulls[grid](parts, totals, sums[0], labels, weight, *sizes, OF_KEYS=False, **tiles)
        pulls[grid](parts, totals, sums[1], labels, weight, *sizes, OF_KEYS=True, **tiles)
        finish[(triton.cdiv(size, ROWS), groups)](
            query, key, totals, sums, pairs, weight, losses, gradients, size, groups, width, over, shares,
            ROWS=ROWS, WIDTH=triton.next_power_of_2(width),
        )  # fmt: skip
    return losses.sum(dim=1), gradients[0], gradients[1]


@triton.jit(do_not_specialize=["size", "padded_size", "groups", "shares"])
def pulls(
    parts: tl.tensor,
    totals: tl.tensor,
    sums: tl.tensor,
    ids: tl.tensor,
    weight: tl.tensor,
    size: tl.tensor,
    padded_size: tl.tensor,
    groups: tl.tensor,
    width: tl.tensor,
    over: tl.tensor,
    shares: tl.tensor,
    OF_KEYS: tl.constexpr,
    MOST: tl.constexpr,
    TILE: tl.constexpr,
    WIDTH: tl.constexpr,
) -> None:
    """What a share of the rows on the other side adds to the gradients of some rows.

    Of queries: ``Σ_j e_bj k_j`` with ``e = exp((cos − 1) / τ)``, and ``Σ_j e_bj``. Of keys, where these sums are known:
    ``Σ_b e_bj / Σ_j e_bj · q_b``.
    """
    group, share = tl.program_id(1), tl.program_id(2)
    row = tl.program_id(0) * TILE + tl.arange(0, TILE)
    feature = tl.arange(0, WIDTH)
    stride = 2 * groups * WIDTH
    part = padded_size.to(tl.int64) * stride
    queries = parts + group * WIDTH + feature[None, :]
    keys = queries + groups * WIDTH
    own = keys if OF_KEYS else queries
    others = queries if OF_KEYS else keys
    mine = own + row.to(tl.int64)[:, None] * stride
    own1 = tl.load(mine)
    own2 = tl.load(mine + part)
    own3 = tl.load(mine + 2 * part)
    if ids is not None:
        label = tl.load(ids + group * size + row, mask=row < size, other=0)
    pulled = tl.zeros([TILE, WIDTH], dtype=tl.float32)
    total = tl.zeros([TILE], dtype=tl.float32)
    length = tl.cdiv(padded_size // TILE, shares) * TILE
    for start in range(share * length, tl.minimum(share * length + length, padded_size), TILE):
        column = start + tl.arange(0, TILE)
        theirs = others + column.to(tl.int64)[:, None] * stride
        other1 = tl.load(theirs)
        other2 = tl.load(theirs + part)
        other3 = tl.load(theirs + 2 * part)
        cosine = tl.zeros([TILE, TILE], dtype=tl.float32)
        cosine = product(own1, own2, own3, tl.trans(other1), tl.trans(other2), tl.trans(other3), cosine)
        inside = column < size
        grown = tl.where(inside[None, :], tl.exp(cosine * over - over), 0.0)
        if ids is not None:
            other_label = tl.load(ids + group * size + column, mask=inside, other=0)
            grown = tl.where((label[:, None] != other_label[None, :]) | (row[:, None] == column[None, :]), grown, 0.0)
        if weight is not None:
            grown *= tl.load(weight + column, mask=inside, other=0).to(tl.float32)[None, :]
        if OF_KEYS:
            sum_ = tl.zeros([TILE], dtype=tl.float32)
            for other_share in tl.static_range(MOST):
                known = inside & (other_share < shares)
                sum_ += tl.load(totals + (other_share * groups + group) * size + column, mask=known, other=0.0)
            grown *= (1.0 / tl.maximum(sum_, 1e-37))[None, :]
        else:
            total += tl.sum(grown, axis=1)
        grown1 = first_part(grown)
        grown = rest(grown, grown1)
        grown2 = first_part(grown)
        pulled = product(grown1, grown2, first_part(rest(grown, grown2)), other1, other2, other3, pulled)
    place = (share * groups + group) * size + row
    there = row < size
    if not OF_KEYS:
        tl.store(totals + place, total, mask=there)
    target = sums + place.to(tl.int64)[:, None] * width + feature[None, :]
    tl.store(target, pulled, mask=there[:, None] & (feature < width)[None, :])


@triton.jit(do_not_specialize=["size", "groups", "shares"])
def finish(
    query: tl.tensor,
    key: tl.tensor,
    totals: tl.tensor,
    sums: tl.tensor,
    pairs: tl.tensor,
    weight: tl.tensor,
    losses: tl.tensor,
    gradients: tl.tensor,
    size: tl.tensor,
    groups: tl.tensor,
    width: tl.tensor,
    over: tl.tensor,
    shares: tl.tensor,
    ROWS: tl.constexpr,
    WIDTH: tl.constexpr,
) -> None:
    """Add up the shares of some rows; the losses of queries, and the gradients on both sides."""
    group = tl.program_id(1)
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    feature = tl.arange(0, WIDTH)
    exists = row < size
    there = exists[:, None] & (feature < width)[None, :]
    place = (group * size + row).to(tl.int64)[:, None] * width + feature[None, :]
    side = groups.to(tl.int64) * size * width
    q = tl.load(query + place, mask=there, other=0.0)
    k = tl.load(key + place, mask=there, other=0.0)
    total = tl.zeros([ROWS], dtype=tl.float32)
    pulled = tl.zeros([ROWS, WIDTH], dtype=tl.float32)
    pulled_key = tl.zeros([ROWS, WIDTH], dtype=tl.float32)
    for share in range(shares):
        total += tl.load(totals + (share * groups + group) * size + row, mask=exists, other=1.0)
        at = sums + share * side + place
        pulled += tl.load(at, mask=there, other=0.0)
        pulled_key += tl.load(at + shares * side, mask=there, other=0.0)
    part = 1.0 / tl.load(pairs)
    own = tl.zeros([ROWS], dtype=tl.float32) + part
    if weight is not None:
        own = tl.load(weight + row, mask=exists, other=0).to(tl.float32) * part
    total = tl.maximum(total, 1e-37)
    diagonal = tl.sum(q * k, axis=1) * over
    tl.store(losses + group * size + row, (tl.log(total) + over - diagonal) * own, mask=exists)
    tl.store(gradients + place, (pulled / total[:, None] - k) * (own * over)[:, None], mask=there)
    # own again: where rows stand for several, a key's number counts in every softmax
    key_gradient = (pulled_key - q) * (own * over)[:, None]
    tl.store(gradients + side + place, key_gradient, mask=there)
