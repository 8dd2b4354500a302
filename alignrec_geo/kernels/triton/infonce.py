"""The softmax between InfoNCE's three matrix products, in one pass over the logits."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from alignrec_geo.kernels import infonce
from alignrec_geo.kernels.triton.launch import on_device_of

LONGEST = 16384
"""Rows of more logits do not fit a program's registers and take the torch path."""


def loss_and_gradients(
    query: Tensor, key: Tensor, temperature: float, ids: Tensor | None, weight: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Backend ``triton`` of ``infonce``: the products by cuBLAS, and what is between them in one kernel.

    Args:
        query: ``[G, B, D]``, unit rows.
        key: ``[G, B, D]``, unit rows.
        temperature: τ.
        ids: ``[G, B]`` or ``None``.
        weight: ``[B]`` or ``None``, how many rows each row stands for.

    Returns:
        Losses ``[G]`` and the gradients of their sum, ``[G, B, D]`` each.
    """
    groups, size, _ = query.shape
    if not query.numel() or size > LONGEST or groups * size * size > infonce.MOST_LOGITS:
        return infonce.dense_loss_and_gradients(query, key, temperature, ids, weight)
    over = 1.0 / temperature
    logits = query.new_empty(groups, size, size)
    for group in range(groups):  # one after the other: batched products of these shapes are slower than single ones
        torch.addmm(query.new_empty(()), query[group], key[group].T, beta=0.0, alpha=over, out=logits[group])
    losses = query.new_empty(groups, size)
    total = query.new_full((), size) if weight is None else weight.sum().clamp(min=1).to(query.dtype)
    labels = None if ids is None else ids.contiguous()
    block = triton.next_power_of_2(size)
    with on_device_of(query):
        softmax_rows[(size, groups)](
            logits, labels, weight, total, losses, size, BLOCK=block, num_warps=min(max(block // 512, 1), 16)
        )
    if weight is None:
        pulled_keys, pulled_queries, pull = key, query, -over / size
    else:
        part = (weight / total)[:, None]
        pulled_keys, pulled_queries, pull = part * key, part * query, -over
    query_grad, key_grad = torch.empty_like(query), torch.empty_like(key)
    for group in range(groups):
        shares = logits[group]
        torch.addmm(pulled_keys[group], shares, key[group], beta=pull, alpha=over, out=query_grad[group])
        torch.addmm(pulled_queries[group], shares.T, query[group], beta=pull, alpha=over, out=key_grad[group])
    return losses.sum(dim=1), query_grad, key_grad


@triton.jit
def softmax_rows(
    logits: tl.tensor,
    ids: tl.tensor,
    weight: tl.tensor,
    total: tl.tensor,
    losses: tl.tensor,
    size: tl.tensor,
    BLOCK: tl.constexpr,
) -> None:
    """Turn a row of logits into its softmax times the row's share of the batch, and note its loss."""
    row = tl.program_id(0)
    group = tl.program_id(1).to(tl.int64)
    place = logits + (group * size + row) * size
    column = tl.arange(0, BLOCK)
    inside = column < size
    value = tl.load(place + column, mask=inside, other=float("-inf"))
    diagonal = tl.load(place + row)
    kept = inside
    if ids is not None:
        label = tl.load(ids + group * size + row)
        other = tl.load(ids + group * size + column, mask=inside, other=0)
        kept = kept & ((other != label) | (column == row))
    share = 1.0 / tl.load(total)
    if weight is not None:
        count = tl.load(weight + column, mask=inside, other=0).to(value.dtype)
        kept = kept & (count > 0.0)
        share = tl.load(weight + row).to(value.dtype) * share
    value = tl.where(kept, value, float("-inf"))
    # the least finite number: where no key counts, all shares are 0 and not NaN
    top = tl.maximum(tl.max(value, axis=0), -3.0e38)
    grown = tl.exp(value - top)
    if weight is not None:
        grown = grown * count
    sum_ = tl.maximum(tl.sum(grown, axis=0), 1e-38)
    tl.store(losses + group * size + row, (top + tl.log(sum_) - diagonal) * share)
    tl.store(place + column, grown / sum_ * share, mask=inside)
