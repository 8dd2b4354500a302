"""Uniformity on the sphere, without a stored batch×batch matrix."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from alignrec_geo.kernels.infonce import TILE
from alignrec_geo.kernels.opaque import opaque


@opaque
def uniformity(rows: Tensor) -> Tensor:
    r"""Return the logarithm of the mean Gaussian potential of all pairs, rows L2-normalised.

    .. math::
        \log \frac{2}{B (B - 1)} \sum_{a < b} e^{-2 \|\hat x_a - \hat x_b\|^2}

    From `"Understanding Contrastive Representation Learning through Alignment and Uniformity on the Hypersphere"
    <https://arxiv.org/abs/2005.10242>`_. The batch×batch matrix exists in tiles only.

    Args:
        rows: ``[B, D]``.

    Returns:
        A scalar, at most 0; 0 for fewer than two rows.

    Example:
        >>> round(float(uniformity(torch.eye(2))), 4)  # two points at right angles: exp(-2 * 2)
        -4.0
    """
    if len(rows) < 2:
        return rows.sum() * 0.0
    result: Tensor = _Uniformity.apply(F.normalize(rows, dim=1))  # type: ignore[no-untyped-call]
    return result


class _Uniformity(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, unit: Tensor) -> Tensor:
        """With unit rows the potential is ``exp(4 cos - 4)``; the gradient of the sum is gathered in the same pass."""
        total, grad = unit.new_zeros(()), torch.empty_like(unit)
        for start in range(0, len(unit), TILE):
            part = unit[start : start + TILE]
            potential = torch.mm(part, unit.T).sub_(1.0).mul_(4.0).exp_()  # [tile, B]
            potential.diagonal(start).zero_()
            total += potential.sum()
            grad[start : start + TILE] = potential @ unit
        ctx.save_for_backward(grad.mul_(8.0 / total))
        return (total / (len(unit) * (len(unit) - 1))).log()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (own,) = ctx.saved_tensors
        result: Tensor = own * grad
        return result
