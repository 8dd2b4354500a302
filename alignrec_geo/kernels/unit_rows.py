"""Rows of unit length, with a backward in three passes."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from alignrec_geo.kernels.backends import gradient_implementation, implementation
from alignrec_geo.kernels.opaque import opaque

_SMALLEST_NORM = 1e-12
"""Rows shorter than this are divided by it, as in :func:`torch.nn.functional.normalize`."""


@opaque
def unit_rows(x: Tensor) -> Tensor:
    r"""Return every row divided by its length; rows of zeros stay zeros.

    The values and gradients of ``torch.nn.functional.normalize(x, dim=1)``. The gradient is taken from the result,

    .. math::
        \frac{\partial \mathcal L}{\partial x} = \frac{g - y\,(g^\top y)}{\|x\|}, \qquad y = \frac{x}{\|x\|}

    and so needs neither the input nor the quotient's own derivative.

    Args:
        x: ``[N, D]``.

    Returns:
        ``[N, D]``.

    Example:
        >>> unit_rows(torch.tensor([[3.0, 4.0], [0.0, 0.0]])).tolist()
        [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    result: Tensor = _UnitRows.apply(x)  # type: ignore[no-untyped-call]
    return result


def reference_unit_rows(x: Tensor) -> Tensor:
    """The plain formula of :func:`unit_rows`."""
    return F.normalize(x, dim=1, eps=_SMALLEST_NORM)


def normalise(x: Tensor) -> tuple[Tensor, Tensor]:
    """Backend ``torch``: the unit rows ``[N, D]``, and one over each row's length ``[N]``, negative where it was too
    short. Every backend of ``unit_rows`` has this signature."""
    length = torch.linalg.vector_norm(x, dim=1, keepdim=True)  # [N, 1]
    inverse = length.clamp(min=_SMALLEST_NORM).reciprocal_()
    return x * inverse, torch.where(length >= _SMALLEST_NORM, inverse, -inverse)[:, 0]


def gradient(grad: Tensor, unit: Tensor, inverse: Tensor) -> Tensor:
    """The gradient of :func:`normalise` in plain torch.

    Args:
        grad: of the unit rows, ``[N, D]``.
        unit: what it returned, ``[N, D]``.
        inverse: what it returned, ``[N]``.

    Returns:
        ``[N, D]``.
    """
    along = (torch.linalg.vecdot(grad, unit) * (inverse > 0.0))[:, None]  # [N, 1]; a constant divisor turns nothing
    result: Tensor = torch.addcmul(grad, unit, along, value=-1).mul_(inverse.abs()[:, None])
    return result


def reference_normalise(x: Tensor) -> tuple[Tensor, Tensor]:
    """Backend ``reference``: the plain formula."""
    length = x.norm(dim=1)
    inverse = 1.0 / length.clamp(min=_SMALLEST_NORM)
    return F.normalize(x, dim=1, eps=_SMALLEST_NORM), torch.where(length >= _SMALLEST_NORM, inverse, -inverse)


class _UnitRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        result: Tensor
        result, inverse = implementation("unit_rows", x.device)(x)
        ctx.save_for_backward(result, inverse)
        return result

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        unit, inverse = ctx.saved_tensors
        result: Tensor = gradient_implementation("unit_rows", grad.device)(grad, unit, inverse)
        return result
