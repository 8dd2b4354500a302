"""InfoNCE and its gradients in two passes over tiles of the batch×batch matrix, which is never stored."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from alignrec_geo.kernels import infonce
from alignrec_geo.kernels.triton.launch import on_device_of, padded

WIDEST = 256
"""Wider embeddings do not fit a tile and take the torch path."""


def tile_size(width: int) -> int:
    """Rows and columns of a tile for a padded width: the largest that fit the registers, as ``compile.py`` reports."""
    return 32 if width <= 64 else 16


def loss_and_gradients(
    query: Tensor, key: Tensor, temperature: float, ids: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Backend ``triton`` of ``infonce``: losses and their gradients; all groups in one launch per pass.

    The first pass goes along rows with a running maximum, so that any temperature is safe, and ends with the losses,
    the log-normalisers and the gradient of the queries; the second goes along columns and ends with that of the keys.

    Args:
        query: ``[G, B, D]``, unit rows.
        key: ``[G, B, D]``, unit rows.
        temperature: τ.
        ids: ``[G, B]`` or ``None``.

    Returns:
        Losses ``[G]`` and the gradients of their sum, ``[G, B, D]`` each.
    """
    groups, size, width = query.shape
    if not query.numel() or width > WIDEST:
        return infonce.loss_and_gradients(query, key, temperature, ids)
    query, key = query.contiguous(), key.contiguous()
    labels = None if ids is None else ids.contiguous()
    losses, normalisers = query.new_empty(groups, size), query.new_empty(groups, size)
    query_grad, key_grad = torch.empty_like(query), torch.empty_like(key)
    wide = padded(width, 16, WIDEST)
    tile = tile_size(wide)
    sizes = {"TEMPERATURE": float(temperature), "ROWS": tile, "COLUMNS": tile, "WIDTH": wide}
    grid = (triton.cdiv(size, tile), groups)
    with on_device_of(query):
        query_pass[grid](query, key, labels, losses, normalisers, query_grad, size, width, **sizes)
        key_pass[grid](query, key, labels, normalisers, key_grad, size, width, **sizes)
    return losses.mean(dim=1), query_grad, key_grad


@triton.jit
def query_pass(
    query: tl.tensor,
    key: tl.tensor,
    ids: tl.tensor,
    losses: tl.tensor,
    normalisers: tl.tensor,
    grad: tl.tensor,
    size: tl.tensor,
    width: tl.tensor,
    TEMPERATURE: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    WIDTH: tl.constexpr,
) -> None:
    """A block of queries against all keys: softmax and its mean key in one sweep."""
    first = tl.program_id(1).to(tl.int64) * size
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    feature = tl.arange(0, WIDTH)
    inside = (feature < width)[None, :]
    stored = (row < size)[:, None] & inside
    place = (first + row)[:, None] * width + feature[None, :]
    q = tl.load(query + place, mask=stored, other=0.0)
    own = tl.load(key + place, mask=stored, other=0.0)
    diagonal = tl.sum(q * own, axis=1) / TEMPERATURE
    if ids is not None:
        label = tl.load(ids + first + row, mask=row < size, other=0)
    top = diagonal
    total = tl.zeros([ROWS], dtype=q.dtype)
    mean = tl.zeros([ROWS, WIDTH], dtype=q.dtype)
    for start in range(0, size, COLUMNS):
        column = start + tl.arange(0, COLUMNS)
        kept = (column < size)[None, :]
        k = tl.load(
            key + (first + column)[:, None] * width + feature[None, :],
            mask=(column < size)[:, None] & inside,
            other=0.0,
        )
        if ids is not None:
            other = tl.load(ids + first + column, mask=column < size, other=0)
            kept = kept & ((label[:, None] != other[None, :]) | (row[:, None] == column[None, :]))
        logits = tl.dot(q, tl.trans(k), input_precision="ieee", out_dtype=q.dtype) / TEMPERATURE
        logits = tl.where(kept, logits, float("-inf"))
        higher = tl.maximum(top, tl.max(logits, axis=1))
        shrink = tl.exp(top - higher)
        weight = tl.exp(logits - higher[:, None])
        total = total * shrink + tl.sum(weight, axis=1)
        mean = mean * shrink[:, None] + tl.dot(weight, k, input_precision="ieee", out_dtype=q.dtype)
        top = higher
    total = tl.where(row < size, total, 1.0)
    normaliser = top + tl.log(total)
    tl.store(normalisers + first + row, normaliser, mask=row < size)
    tl.store(losses + first + row, normaliser - diagonal, mask=row < size)
    tl.store(grad + place, (mean / total[:, None] - own) / TEMPERATURE / size, mask=stored)


@triton.jit
def key_pass(
    query: tl.tensor,
    key: tl.tensor,
    ids: tl.tensor,
    normalisers: tl.tensor,
    grad: tl.tensor,
    size: tl.tensor,
    width: tl.tensor,
    TEMPERATURE: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    WIDTH: tl.constexpr,
) -> None:
    """A block of keys against all queries: the softmax weights again, from the stored normalisers."""
    first = tl.program_id(1).to(tl.int64) * size
    column = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    feature = tl.arange(0, WIDTH)
    inside = (feature < width)[None, :]
    stored = (column < size)[:, None] & inside
    place = (first + column)[:, None] * width + feature[None, :]
    k = tl.load(key + place, mask=stored, other=0.0)
    if ids is not None:
        label = tl.load(ids + first + column, mask=column < size, other=0)
    mean = tl.zeros([COLUMNS, WIDTH], dtype=k.dtype)
    for start in range(0, size, ROWS):
        row = start + tl.arange(0, ROWS)
        q = tl.load(
            query + (first + row)[:, None] * width + feature[None, :], mask=(row < size)[:, None] & inside, other=0.0
        )
        normaliser = tl.load(normalisers + first + row, mask=row < size, other=float("inf"))
        logits = tl.dot(k, tl.trans(q), input_precision="ieee", out_dtype=k.dtype) / TEMPERATURE
        weight = tl.exp(logits - normaliser[None, :])
        if ids is not None:
            other = tl.load(ids + first + row, mask=row < size, other=0)
            kept = (label[:, None] != other[None, :]) | (column[:, None] == row[None, :])
            weight = tl.where(kept, weight, 0.0)
        mean += tl.dot(weight, q, input_precision="ieee", out_dtype=k.dtype)
    own = tl.load(query + place, mask=stored, other=0.0)
    tl.store(grad + place, (mean - own) / TEMPERATURE / size, mask=stored)
