"""BPR, user-item alignment and L2 of a batch of triplets in one pass."""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from alignrec_geo.kernels.backends import gradient_implementation, implementation
from alignrec_geo.kernels.opaque import opaque

_SMALLEST_NORM = 1e-8
"""Norms below it count as this much in the cosine, as in ``torch.nn.functional.cosine_similarity``."""


class TripletTerms(NamedTuple):
    """The unweighted terms of a batch."""

    bpr: Tensor
    uia: Tensor
    l2: Tensor


@opaque
def triplet_loss(user: Tensor, positive: Tensor, negative: Tensor, batch_size: int) -> TripletTerms:
    r"""Return three losses of a batch of triplets.

    .. math::
        \text{bpr} &= -\frac1B \sum_b \log \sigma(u_b^\top i^+_b - u_b^\top i^-_b) \\
        \text{uia} &= 1 - \frac1B \sum_b \cos(u_b, i^+_b) \\
        \text{l2} &= \frac{1}{2 B_0} \sum_b \|u_b\|^2 + \|i^+_b\|^2 + \|i^-_b\|^2

    Args:
        user: ``[B, D]``.
        positive: ``[B, D]``.
        negative: ``[B, D]``.
        batch_size: the configured batch size ``B₀``; also for the smaller last batch of an epoch.
    """
    terms: tuple[Tensor, Tensor, Tensor] = _TripletLoss.apply(user, positive, negative, batch_size)  # type: ignore[no-untyped-call]
    return TripletTerms(*terms)


def reference_triplet_loss(user: Tensor, positive: Tensor, negative: Tensor, batch_size: int) -> TripletTerms:
    """The plain formulas of :func:`triplet_loss`."""
    bpr = -F.logsigmoid((user * positive).sum(1) - (user * negative).sum(1)).mean()
    uia = 1.0 - F.cosine_similarity(user, positive, dim=1).mean()
    l2 = (user.square().sum() + positive.square().sum() + negative.square().sum()) / (2.0 * batch_size)
    return TripletTerms(bpr, uia, l2)


def terms_and_gradients(
    user: Tensor, positive: Tensor, negative: Tensor, batch_size: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Backend ``torch``: the terms, and the coefficients of which all gradients are made.

    Every gradient is a combination of the three rows of its own triplet, so ``[B]`` vectors are all that the backward
    needs besides the rows. Every backend of ``triplet_loss`` has this signature.

    Args:
        user: ``[B, D]``.
        positive: ``[B, D]``.
        negative: ``[B, D]``.
        batch_size: ``B₀``.

    Returns:
        Terms ``[3]`` (bpr, uia, l2) and ``[B]`` each: d bpr / d margin, -1 / (B |u| |i⁺|), cos / B.
    """
    size = len(user)
    agree, oppose = torch.linalg.vecdot(user, positive), torch.linalg.vecdot(user, negative)  # [B]
    squares = [torch.linalg.vecdot(rows, rows) for rows in (user, positive, negative)]  # [B] each
    margin = agree - oppose
    norms = squares[0].sqrt().clamp(min=_SMALLEST_NORM) * squares[1].sqrt().clamp(min=_SMALLEST_NORM)
    cosine = agree / norms
    l2 = (squares[0].sum() + squares[1].sum() + squares[2].sum()) / (2.0 * batch_size)
    terms = torch.stack([-F.logsigmoid(margin).mean(), 1.0 - cosine.mean(), l2])
    return terms, torch.sigmoid(-margin).div_(-size), norms.reciprocal_().div_(-size), cosine / size


def reference_terms_and_gradients(
    user: Tensor, positive: Tensor, negative: Tensor, batch_size: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Backend ``reference``: the plain formulas."""
    terms = torch.stack(list(reference_triplet_loss(user, positive, negative, batch_size)))
    size = len(user)
    margin = (user * positive).sum(1) - (user * negative).sum(1)
    norms = user.norm(dim=1).clamp(min=_SMALLEST_NORM) * positive.norm(dim=1).clamp(min=_SMALLEST_NORM)
    return terms, -torch.sigmoid(-margin) / size, -1.0 / (norms * size), F.cosine_similarity(user, positive) / size


class _TripletLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, user: Tensor, positive: Tensor, negative: Tensor, batch_size: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        run = implementation("triplet_loss", user.device)
        terms, slope, inverse, cosine = run(user, positive, negative, batch_size)
        ctx.save_for_backward(user, positive, negative, slope, inverse, cosine)
        ctx.batch_size = batch_size
        bpr, uia, l2 = terms.unbind()
        return bpr, uia, l2

    @staticmethod
    def backward(ctx: Any, bpr: Tensor, uia: Tensor, l2: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        run = gradient_implementation("triplet_loss", bpr.device)
        return *run(ctx.saved_tensors, (bpr, uia, l2), ctx.batch_size), None


def gradients(
    saved: tuple[Tensor, ...], arriving: tuple[Tensor, Tensor, Tensor], batch_size: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of users, positives and negatives, ``[B, D]`` each.

    Args:
        saved: the rows of users, positives and negatives, ``[B, D]`` each, and what :func:`terms_and_gradients`
            returned after the terms, ``[B]`` each.
        arriving: the gradients that arrive at the three terms, scalars.
        batch_size: ``B₀``.
    """
    user, positive, negative, slope, inverse, cosine = saved
    bpr, uia, l2 = arriving
    shrink = l2 / batch_size
    push = (slope * bpr)[:, None]
    pull = (inverse * uia)[:, None]
    cosine = cosine * uia
    # d(1 - cos)/du = -i/(|u||i|) + cos u/|u|²; where a norm was clamped its own term vanishes
    user_grad = (push + pull) * positive
    user_grad.addcmul_(push, negative, value=-1).addcmul_(_own(cosine, user, shrink), user)
    positive_grad = (push + pull) * user
    positive_grad.addcmul_(_own(cosine, positive, shrink), positive)
    negative_grad = (shrink * negative).addcmul_(push, user, value=-1)
    return user_grad, positive_grad, negative_grad


def _own(cosine: Tensor, rows: Tensor, shrink: Tensor) -> Tensor:
    """How much of a row its own gradient holds: ``cos / |row|²`` plus the L2 share, ``[B, 1]``."""
    square = torch.linalg.vecdot(rows, rows)
    free = square >= _SMALLEST_NORM**2
    return (torch.where(free, cosine / square.where(free, 1.0), 0.0) + shrink)[:, None]
