"""How far the inner products of a batch are from the cosines of its anchors."""

from typing import Any

import torch
from torch import Tensor

from alignrec_geo.kernels.backends import gradient_implementation, implementation
from alignrec_geo.kernels.fixed_shapes import fixed_shapes
from alignrec_geo.kernels.opaque import opaque

_BLOCK = 128
"""Columns of a Gram matrix computed at a time; only blocks on and above the diagonal are."""


@opaque
def similarity_gap(hidden: Tensor, anchor: Tensor, weight: Tensor | None = None) -> Tensor:
    r"""Return ``‖H Hᵀ − V Vᵀ‖_F / B`` without a batch×batch matrix.

    AlignRec's similarity regulariser. By the Gram identity

    .. math::
        \|HH^\top - VV^\top\|_F^2 = \|H^\top H\|_F^2 - 2\,\|V^\top H\|_F^2 + \|V^\top V\|_F^2

    only ``D×D``, ``D_v×D`` and half of ``D_v×D_v`` (or of ``B×B`` in blocks, whichever is narrower) are formed. The
    gradient is ``2 (H (HᵀH) − V (VᵀH)) / (B · norm)``.

    Args:
        hidden: ``H``, ``[B, D]``, as it is (not normalised).
        anchor: ``V``, ``[B, D_v]``, rows of unit length, so that ``V Vᵀ`` holds cosines; no gradient flows into it.
        weight: ``[B]``, how many equal rows each row stands for; the value is that of the repeated rows.

    Returns:
        A scalar; the norm is not squared. Its gradient is 0 where the gap is 0.
    """
    size: int | Tensor = len(hidden)
    if weight is not None:  # a row n times over is the row times √n in every Gram matrix
        scale = weight.to(hidden.dtype).sqrt()[:, None]
        hidden, anchor, size = hidden * scale, anchor * scale, weight.sum()
    result: Tensor = _SimilarityGap.apply(hidden, anchor.detach(), size)  # type: ignore[no-untyped-call]
    return result


def reference_similarity_gap(hidden: Tensor, anchor: Tensor) -> Tensor:
    """The plain formula of :func:`similarity_gap`, with both batch×batch matrices."""
    gap: Tensor = torch.linalg.matrix_norm(hidden @ hidden.T - (anchor @ anchor.T).detach())
    return gap / len(hidden)


def gram_squared_norm(x: Tensor) -> Tensor:
    """Return ``‖xᵀ x‖_F²`` (which is ``‖x xᵀ‖_F²``) in double, from one triangle of the smaller Gram matrix.

    Args:
        x: ``[n, m]``.
    """
    columns = x if x.shape[1] <= x.shape[0] else x.T
    if fixed_shapes(x.device):  # half of the products saves less than many small kernels cost
        return _squared_norm(columns.T @ columns)
    total = x.new_zeros((), dtype=torch.float64)
    for start in range(0, columns.shape[1], _BLOCK):
        block = columns[:, start : start + _BLOCK].T @ columns[:, start:]  # [b, rest]
        width = len(block)
        total += _squared_norm(block[:, :width]) + 2.0 * _squared_norm(block[:, width:])
    return total


def grams(hidden: Tensor, anchor: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Backend ``torch``: the squared gap, and what its gradient is made of.

    Every backend of ``similarity_gap`` has this signature.

    Args:
        hidden: ``H``, ``[B, D]``.
        anchor: ``V``, ``[B, D_v]``.

    Returns:
        ``‖H Hᵀ − V Vᵀ‖_F²`` in double, and tensors for the backend's gradient.
    """
    own, cross = hidden.T @ hidden, anchor.T @ hidden  # [D, D], [D_v, D]
    squared = _squared_norm(own) - 2.0 * _squared_norm(cross) + gram_squared_norm(anchor)
    return squared, (hidden, anchor, own, cross)


def slope(saved: tuple[Tensor, ...]) -> Tensor:
    """Return ``H (HᵀH) − V (VᵀH)``, ``[B, D]``, from what :func:`grams` saved."""
    hidden, anchor, own, cross = saved
    return torch.addmm(hidden @ own, anchor, cross, alpha=-1.0)


def reference_grams(hidden: Tensor, anchor: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Backend ``reference``: both batch×batch matrices."""
    difference = hidden @ hidden.T - anchor @ anchor.T
    return difference.double().square().sum(), (hidden, difference)


def reference_slope(saved: tuple[Tensor, ...]) -> Tensor:
    """The gradient of the backend ``reference``."""
    hidden, difference = saved
    return difference @ hidden


class _SimilarityGap(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, anchor: Tensor, count: int | Tensor) -> Tensor:
        size = count.clamp(min=1).double() if isinstance(count, Tensor) else max(count, 1)
        squared, saved = implementation("similarity_gap", hidden.device)(hidden, anchor)
        gap = squared.clamp(min=0.0).sqrt()
        slope_of = gradient_implementation("similarity_gap", hidden.device)
        ctx.ready = fixed_shapes(hidden.device) and ctx.needs_input_grad[0]
        if ctx.ready:  # now, beside other terms, and not at the beginning of the backward
            ctx.save_for_backward(_scaled(slope_of(saved), gap, size))
        else:
            ctx.save_for_backward(*saved, gap)
            ctx.size, ctx.slope_of = size, slope_of
        result: Tensor = gap / size
        return result.to(hidden.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        if ctx.ready:
            slope: Tensor = ctx.saved_tensors[0]
            return slope * grad, None, None
        *saved, gap = ctx.saved_tensors
        return _scaled(ctx.slope_of(tuple(saved)), gap, ctx.size, grad), None, None


def _scaled(slope: Tensor, gap: Tensor, size: int | Tensor, grad: Tensor | float = 1.0) -> Tensor:
    scale = torch.where(gap > 0, 2.0 * grad / (gap * size).where(gap > 0, 1.0), 0.0)
    return slope * scale.to(slope.dtype)


def _squared_norm(matrix: Tensor) -> Tensor:
    """Summed in double: the three terms of the gap nearly cancel."""
    if fixed_shapes(matrix.device):  # all in double, in one kernel
        norm: Tensor = torch.linalg.vector_norm(matrix, dtype=torch.float64)
        return norm.square()
    rows: Tensor = torch.linalg.vecdot(matrix, matrix)
    return rows.sum(dtype=torch.float64)
