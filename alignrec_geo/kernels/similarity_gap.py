"""How far the inner products of a batch are from the cosines of its anchors."""

from typing import Any

import torch
from torch import Tensor

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


class _SimilarityGap(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, anchor: Tensor, count: int | Tensor) -> Tensor:
        size = count.clamp(min=1).double() if isinstance(count, Tensor) else max(count, 1)
        own, cross = hidden.T @ hidden, anchor.T @ hidden  # [D, D], [D_v, D]
        squared = _squared_norm(own) - 2.0 * _squared_norm(cross) + gram_squared_norm(anchor)
        gap = squared.clamp(min=0.0).sqrt()
        ctx.save_for_backward(hidden, anchor, own, cross, gap)
        ctx.size = size
        return (gap / size).to(hidden.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        hidden, anchor, own, cross, gap = ctx.saved_tensors
        scale = torch.where(gap > 0, 2.0 * grad / (gap * ctx.size).where(gap > 0, 1.0), 0.0)
        slope = torch.addmm(hidden @ own, anchor, cross, alpha=-1.0)
        return slope * scale.to(hidden.dtype), None, None


def _squared_norm(matrix: Tensor) -> Tensor:
    """Summed in double: the three terms of the gap nearly cancel."""
    if fixed_shapes(matrix.device):  # all in double, in one kernel
        norm: Tensor = torch.linalg.vector_norm(matrix, dtype=torch.float64)
        return norm.square()
    rows: Tensor = torch.linalg.vecdot(matrix, matrix)
    return rows.sum(dtype=torch.float64)
