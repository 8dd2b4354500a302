"""How far the inner products of a batch are from the cosines of its anchors."""

import torch
from torch import Tensor


def similarity_gap(hidden: Tensor, anchor: Tensor) -> Tensor:
    r"""Return ``‖H Hᵀ − V Vᵀ‖_F / B`` without a batch×batch matrix.

    AlignRec's similarity regulariser. By the Gram identity

    .. math::
        \|HH^\top - VV^\top\|_F^2 = \|H^\top H\|_F^2 - 2\,\|V^\top H\|_F^2 + \|V^\top V\|_F^2

    only ``D×D``, ``D_v×D`` and ``D_v×D_v`` products are formed (``V Vᵀ`` in blocks where the batch is narrower).

    Args:
        hidden: ``H``, ``[B, D]``, as it is (not normalised).
        anchor: ``V``, ``[B, D_v]``, rows of unit length, so that ``V Vᵀ`` holds cosines; no gradient flows into it.

    Returns:
        A scalar; the norm is not squared. Its gradient is 0 where the gap is 0.
    """
    anchor = anchor.detach()
    size = max(len(hidden), 1)
    own = _squared_norm(hidden.T @ hidden)
    cross = _squared_norm(anchor.T @ hidden)
    fixed = _squared_norm(anchor.T @ anchor if anchor.shape[1] < len(anchor) else anchor @ anchor.T)
    squared = own - 2.0 * cross + fixed
    safe = torch.where(squared > 0, squared, torch.ones_like(squared))
    gap = torch.where(squared > 0, safe.sqrt(), torch.zeros_like(squared))
    return (gap / size).to(hidden.dtype)


def reference_similarity_gap(hidden: Tensor, anchor: Tensor) -> Tensor:
    """The plain formula of :func:`similarity_gap`, with both batch×batch matrices."""
    gap: Tensor = torch.linalg.matrix_norm(hidden @ hidden.T - (anchor @ anchor.T).detach())
    return gap / len(hidden)


def _squared_norm(matrix: Tensor) -> Tensor:
    return matrix.double().square().sum()  # the three terms nearly cancel: add them in double
