"""The contrast of InfoNCE on plain dot products; on a CPU without a stored batch×batch matrix."""

from typing import Any

import torch
from torch import Tensor

from alignrec_geo.kernels.fixed_shapes import fixed_shapes
from alignrec_geo.kernels.infonce import TILE, dense_loss_and_gradients


def dot_contrast(query: Tensor, key: Tensor, temperature: float, counts: Tensor) -> Tensor:
    r"""Return ``-mean log softmax(q kᵀ / τ)`` at the diagonal; unlike in InfoNCE the rows keep their lengths.

    .. math::
        \mathcal L = -\frac{1}{\sum_b t_b} \sum_b t_b \log
        \frac{\exp(q_b^\top k_b / \tau)}{\sum_{b'} t_{b'} \exp(q_b^\top k_{b'} / \tau)}

    On a CPU the batch×batch matrix exists in tiles only. The gradients are made with the value.

    Args:
        query: ``[B, D]``.
        key: ``[B, D]``.
        temperature: τ.
        counts: ``[B]`` int64; row ``b`` stands for ``counts[b]`` equal rows (see
            :func:`alignrec_geo.kernels.unique.unique_with_counts`). The value is that of the repeated rows.

    Returns:
        A scalar; 0 for an empty batch.

    Example:
        >>> rows = 2.0 * torch.eye(2)
        >>> round(float(dot_contrast(rows, rows, temperature=4.0, counts=torch.ones(2, dtype=torch.long))), 4)
        0.3133
    """
    loss: Tensor = _DotContrast.apply(query, key, temperature, counts)  # type: ignore[no-untyped-call]
    return loss


class _DotContrast(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, temperature: float, counts: Tensor) -> Tensor:
        if fixed_shapes(query.device):
            return _whole(ctx, query, key, temperature, counts)
        scaled, count = query / temperature, counts.to(query.dtype)
        batch = count.sum().clamp(min=1.0)
        counted_key = key * count[:, None]
        query_grad, key_grad, loss = torch.empty_like(query), torch.zeros_like(key), query.new_zeros(())
        diagonal = torch.linalg.vecdot(scaled, key)  # [B]
        for start in range(0, len(query), TILE):
            rows = slice(start, start + TILE)
            logits = scaled[rows] @ key.T  # [tile, B]
            largest = logits.amax(dim=1, keepdim=True)
            logits.sub_(largest).exp_()
            total = logits @ count  # [tile]
            loss += torch.dot(total.log() + largest[:, 0] - diagonal[rows], count[rows])
            query_grad[rows] = torch.mm(logits, counted_key).div_(total[:, None])
            key_grad.addmm_(logits.T, scaled[rows] * (count[rows] / total)[:, None])
        share = (count / batch)[:, None]
        ctx.save_for_backward(query_grad.sub_(key).mul_(share / temperature), key_grad.sub_(scaled).mul_(share))
        return loss / batch

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        query_grad, key_grad = ctx.saved_tensors
        return query_grad * grad, key_grad * grad, None, None


def _whole(ctx: Any, query: Tensor, key: Tensor, temperature: float, counts: Tensor) -> Tensor:
    """The same with rows that count 0 times, and with few large products."""
    loss, query_grad, key_grad = dense_loss_and_gradients(query[None], key[None], temperature, None, counts)
    ctx.save_for_backward(query_grad[0], key_grad[0])
    return loss[0]
