"""BPR, user-item alignment and L2 of a batch of triplets: every row is read once."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from alignrec_geo.kernels import triplet_loss
from alignrec_geo.kernels.triton.launch import on_device_of, padded

ROWS = 16
"""Triplets per program."""
WIDEST = 128
"""Columns taken at a time."""


def terms_and_gradients(
    user: Tensor, positive: Tensor, negative: Tensor, batch_size: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Backend ``triton`` of ``triplet_loss``: the terms, and the coefficients of which all gradients are made.

    Args:
        user: ``[B, D]``.
        positive: ``[B, D]``.
        negative: ``[B, D]``.
        batch_size: ``B₀``.

    Returns:
        Terms ``[3]`` (bpr, uia, l2) and ``[B]`` each: d bpr / d margin, -1 / (B |u| |i⁺|), cos / B.
    """
    size, width = user.shape
    if not user.numel():
        return triplet_loss.terms_and_gradients(user, positive, negative, batch_size)
    user, positive, negative = user.contiguous(), positive.contiguous(), negative.contiguous()
    programs = triton.cdiv(size, ROWS)
    partial = user.new_empty(3, programs)  # added up by torch, in a fixed order
    slope, inverse, cosine = (user.new_empty(size) for _ in range(3))
    tables = user, positive, negative, partial, slope, inverse, cosine
    with on_device_of(user):
        triplets[(programs,)](*tables, size, width, batch_size, ROWS=ROWS, WIDTH=padded(width, 1, WIDEST))
    return partial.sum(dim=1), slope, inverse, cosine


def gradients(
    saved: tuple[Tensor, ...], arriving: tuple[Tensor, Tensor, Tensor], batch_size: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients; arguments and result as :func:`alignrec_geo.kernels.triplet_loss.gradients`."""
    user, positive, negative = (rows.contiguous() for rows in saved[:3])
    size, width = user.shape
    results = torch.empty_like(user), torch.empty_like(positive), torch.empty_like(negative)
    if not user.numel():
        return results
    tables = user, positive, negative, *saved[3:], *arriving, *results
    with on_device_of(user):
        slopes[(triton.cdiv(size, ROWS),)](*tables, size, width, batch_size, ROWS=ROWS, WIDTH=padded(width, 1, WIDEST))
    return results


@triton.jit
def slopes(
    user: tl.tensor,
    positive: tl.tensor,
    negative: tl.tensor,
    slope: tl.tensor,
    inverse: tl.tensor,
    cosine: tl.tensor,
    bpr: tl.tensor,
    uia: tl.tensor,
    l2: tl.tensor,
    user_grad: tl.tensor,
    positive_grad: tl.tensor,
    negative_grad: tl.tensor,
    size: tl.tensor,
    width: tl.tensor,
    batch_size: tl.tensor,
    ROWS: tl.constexpr,
    WIDTH: tl.constexpr,
) -> None:
    """Every gradient is a combination of the three rows of its own triplet."""
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    exists = row < size
    shrink = tl.load(l2) / batch_size
    push = tl.load(slope + row, mask=exists, other=0.0) * tl.load(bpr)
    pull = tl.load(inverse + row, mask=exists, other=0.0) * tl.load(uia)
    turn = tl.load(cosine + row, mask=exists, other=0.0) * tl.load(uia)
    user_square = tl.zeros([ROWS], dtype=user.dtype.element_ty)
    positive_square = user_square
    for start in range(0, width, WIDTH):
        feature = start + tl.arange(0, WIDTH)
        mask = exists[:, None] & (feature < width)[None, :]
        place = row.to(tl.int64)[:, None] * width + feature[None, :]
        u = tl.load(user + place, mask=mask, other=0.0)
        i = tl.load(positive + place, mask=mask, other=0.0)
        user_square += tl.sum(u * u, axis=1)
        positive_square += tl.sum(i * i, axis=1)
    # d(1 - cos)/du = -i/(|u||i|) + cos u/|u|²; where a norm was clamped its own term vanishes
    user_own = tl.where(user_square >= 1e-16, turn / tl.maximum(user_square, 1e-16), 0.0) + shrink
    positive_own = tl.where(positive_square >= 1e-16, turn / tl.maximum(positive_square, 1e-16), 0.0) + shrink
    for start in range(0, width, WIDTH):
        feature = start + tl.arange(0, WIDTH)
        mask = exists[:, None] & (feature < width)[None, :]
        place = row.to(tl.int64)[:, None] * width + feature[None, :]
        u = tl.load(user + place, mask=mask, other=0.0)
        i = tl.load(positive + place, mask=mask, other=0.0)
        j = tl.load(negative + place, mask=mask, other=0.0)
        both = (push + pull)[:, None]
        tl.store(user_grad + place, both * i - push[:, None] * j + user_own[:, None] * u, mask=mask)
        tl.store(positive_grad + place, both * u + positive_own[:, None] * i, mask=mask)
        tl.store(negative_grad + place, shrink * j - push[:, None] * u, mask=mask)


@triton.jit
def triplets(
    user: tl.tensor,
    positive: tl.tensor,
    negative: tl.tensor,
    partial: tl.tensor,
    slope: tl.tensor,
    inverse: tl.tensor,
    cosine: tl.tensor,
    size: tl.tensor,
    width: tl.tensor,
    batch_size: tl.tensor,
    ROWS: tl.constexpr,
    WIDTH: tl.constexpr,
) -> None:
    """Five inner products per triplet, and everything that is made of them."""
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    exists = row < size
    agree = tl.zeros([ROWS], dtype=user.dtype.element_ty)
    oppose = agree
    user_square = agree
    positive_square = agree
    negative_square = agree
    for start in range(0, width, WIDTH):
        feature = start + tl.arange(0, WIDTH)
        mask = exists[:, None] & (feature < width)[None, :]
        place = row.to(tl.int64)[:, None] * width + feature[None, :]
        u = tl.load(user + place, mask=mask, other=0.0)
        i = tl.load(positive + place, mask=mask, other=0.0)
        j = tl.load(negative + place, mask=mask, other=0.0)
        agree += tl.sum(u * i, axis=1)
        oppose += tl.sum(u * j, axis=1)
        user_square += tl.sum(u * u, axis=1)
        positive_square += tl.sum(i * i, axis=1)
        negative_square += tl.sum(j * j, axis=1)
    margin = agree - oppose
    small = tl.exp(-tl.abs(margin))
    grown = 1.0 + small
    # log(1 + small) without the rounding of the sum: Kahan's correction
    log1p = tl.where(grown == 1.0, small, tl.log(grown) * small / tl.where(grown == 1.0, 1.0, grown - 1.0))
    softplus = tl.maximum(-margin, 0.0) + log1p
    sigmoid = tl.where(margin >= 0, small, 1.0) / grown
    norms = tl.maximum(tl.sqrt(user_square), 1e-8) * tl.maximum(tl.sqrt(positive_square), 1e-8)
    similarity = agree / norms
    squares = user_square + positive_square + negative_square
    tl.store(slope + row, -sigmoid / size, mask=exists)
    tl.store(inverse + row, -1.0 / norms / size, mask=exists)
    tl.store(cosine + row, similarity / size, mask=exists)
    bpr = tl.sum(tl.where(exists, softplus, 0.0), axis=0) / size
    uia = tl.sum(tl.where(exists, 1.0 - similarity, 0.0), axis=0) / size
    place = partial + tl.program_id(0)
    tl.store(place, bpr)
    tl.store(place + tl.num_programs(0), uia)
    tl.store(place + 2 * tl.num_programs(0), tl.sum(squares, axis=0) / batch_size / 2)
