"""InfoNCE with in-batch negatives, without a stored batch×batch matrix."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

TILE = 512


def infonce(query: Tensor, key: Tensor, temperature: float = 0.2) -> Tensor:
    r"""Return ``-mean log softmax(q̂ k̂ᵀ / τ)`` at the diagonal, rows L2-normalised.

    .. math::
        \mathcal L = -\frac1B \sum_b \log
        \frac{\exp(\hat q_b^\top \hat k_b / \tau)}{\sum_{b'} \exp(\hat q_b^\top \hat k_{b'} / \tau)}

    Every row's key is its positive, all other keys of the batch are negatives; a user or item that occurs twice in the
    batch is a negative of itself. One direction: queries against keys.

    Args:
        query: ``[B, D]``.
        key: ``[B, D]``.
        temperature: τ.

    Returns:
        A scalar; 0 for an empty batch.

    Example:
        >>> import torch
        >>> round(float(infonce(torch.eye(2), torch.eye(2), temperature=1.0)), 4)
        0.3133
    """
    result: Tensor = _InfoNCE.apply(F.normalize(query, dim=1), F.normalize(key, dim=1), temperature)  # type: ignore[no-untyped-call]
    return result


def reference_infonce(query: Tensor, key: Tensor, temperature: float = 0.2) -> Tensor:
    """The plain formula of :func:`infonce`, with the whole batch×batch matrix."""
    logits = F.normalize(query, dim=1) @ F.normalize(key, dim=1).T / temperature  # [B, B]
    return F.cross_entropy(logits, torch.arange(len(logits), device=logits.device))


class _InfoNCE(torch.autograd.Function):
    """Loss and gradients in one pass over row tiles: the gradient of a scalar only needs scaling later."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, temperature: float) -> Tensor:
        size = max(len(query), 1)
        loss = query.new_zeros(())
        query_grad = torch.empty_like(query)
        key_grad = torch.zeros_like(key)
        for start in range(0, len(query), TILE):
            rows = slice(start, start + TILE)
            q, positive = query[rows], key[rows]
            logits = q @ key.T  # [tile, B]
            logits /= temperature
            normaliser = logits.logsumexp(dim=1, keepdim=True)  # [tile, 1]
            loss += (normaliser[:, 0] - (q * positive).sum(dim=1) / temperature).sum()
            probability = logits.sub_(normaliser).exp_()  # [tile, B]
            query_grad[rows] = probability @ key - positive
            key_grad.addmm_(probability.T, q)
        key_grad -= query
        scale = 1.0 / (temperature * size)
        ctx.save_for_backward(query_grad.mul_(scale), key_grad.mul_(scale))
        return loss / size

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        query_grad, key_grad = ctx.saved_tensors
        return query_grad * grad, key_grad * grad, None
