"""Products with a constant sparse matrix: one propagation step, and the mean of several."""

from typing import Any

import torch
from torch import Tensor

from alignrec_geo.kernels.backends import implementation
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.opaque import opaque
from alignrec_geo.kernels.row_blocks import row_blocks

TILE = 32
"""Columns of ``x`` that a CPU takes at a time where rows are wide: a tile stays in a core's cache, all of ``x`` does
not."""

TILED_WIDTH = 128
"""Columns from which on ``x`` is taken in tiles."""

TILED_DEGREE = 64
"""Entries per column of the matrix from which on that saves more than the tiles' copies cost."""


@opaque
def spmm(adjacency: CSR, x: Tensor) -> Tensor:
    """Return ``A x``; the backward is ``Aᵀ`` times the gradient.

    Args:
        adjacency: ``A``, ``[rows, cols]``.
        x: ``[cols, D]``.

    Returns:
        ``[rows, D]``.

    Example:
        >>> import torch
        >>> a = CSR.from_coo(torch.tensor([0, 1]), torch.tensor([1, 0]), torch.ones(2), (2, 2))
        >>> spmm(a, torch.tensor([[1.0], [2.0]])).tolist()
        [[2.0], [1.0]]
    """
    _check_width(adjacency, x)
    if torch.compiler.is_exporting():
        return _exported(adjacency, x)
    result: Tensor = _Product.apply(adjacency, x)  # type: ignore[no-untyped-call]
    return result


@opaque
def mean_propagation(adjacency: CSR, x: Tensor, layers: int) -> Tensor:
    """Return the mean of ``x, A x, …, A^L x`` (LightGCN's propagation) in ``L`` products.

    The sum is evaluated as ``x + A (x + A (x + …))``, forward and backward, so no layer's output is kept.

    Args:
        adjacency: ``A``, square ``[N, N]``.
        x: ``[N, D]``.
        layers: ``L``, at least 0.

    Returns:
        ``[N, D]``.
    """
    _check_width(adjacency, x)
    if torch.compiler.is_exporting():
        return _exported_mean(adjacency, x, layers)
    result: Tensor = _MeanPropagation.apply(adjacency, x, layers)  # type: ignore[no-untyped-call]
    return result


def reference_spmm(adjacency: CSR, x: Tensor) -> Tensor:
    """The plain formula of :func:`spmm`: gather, weigh, add."""
    (source, target), weight = adjacency.edges()
    return x.new_zeros(adjacency.shape[0], x.shape[1]).index_add(0, target, weight[:, None] * x[source])


def reference_mean_propagation(adjacency: CSR, x: Tensor, layers: int) -> Tensor:
    """The plain formula of :func:`mean_propagation`: stack the layers, take the mean."""
    outputs = [x]
    for _ in range(layers):
        outputs.append(reference_spmm(adjacency, outputs[-1]))
    return torch.stack(outputs).mean(dim=0)


def multiply(matrix: Tensor, x: Tensor, base: Tensor | None = None, out: Tensor | None = None) -> Tensor:
    """Backend ``torch``: ``matrix @ x``, plus ``base`` if given, by MKL or cuSPARSE.

    Every backend of ``spmm`` has this signature.

    Args:
        matrix: sparse CSR tensor ``[rows, cols]``.
        x: ``[cols, D]``.
        base: ``[rows, D]``, added to the product.
        out: ``[rows, D]``, to write into; neither ``x`` nor ``base``.
    """
    if matrix.crow_indices().dtype == torch.long:
        result = x.new_empty(matrix.shape[0], x.shape[1]) if out is None else out
        for rows, block in row_blocks(matrix):
            multiply(block, x, None if base is None else base[rows], result[rows])
        return result
    if x.device.type == "cpu" and in_tiles(matrix, x.shape[1]):
        result = x.new_empty(matrix.shape[0], x.shape[1]) if out is None else out
        for start in range(0, x.shape[1], TILE):
            tile = slice(start, start + TILE)
            result[:, tile] = multiply(matrix, x[:, tile].contiguous(), None if base is None else base[:, tile])
        return result
    if base is None:
        return torch.mm(matrix, x) if out is None else torch.mm(matrix, x, out=out)
    return torch.addmm(base, matrix, x) if out is None else torch.addmm(base, matrix, x, out=out)


def in_tiles(matrix: Tensor, width: int) -> bool:
    """Whether a CPU takes a product tile by tile: where many entries read wide rows again and again.

    Args:
        matrix: sparse CSR tensor ``[rows, cols]``.
        width: columns of the dense operand.
    """
    return width >= TILED_WIDTH and matrix.values().numel() >= TILED_DEGREE * matrix.shape[1]


def reference_multiply(matrix: Tensor, x: Tensor, base: Tensor | None = None, out: Tensor | None = None) -> Tensor:
    """Backend ``reference``: gather, weigh, add."""
    product = reference_spmm(CSR(matrix, matrix), x)
    result = product if base is None else base + product
    return result if out is None else out.copy_(result)


def _exported(adjacency: CSR, x: Tensor) -> Tensor:
    """The product for ``torch.export``, which cannot hold a compressed matrix: its edges become plain constants."""
    from torch.utils._python_dispatch import _disable_current_modes  # the edges are data, not a part of what is traced

    with _disable_current_modes():
        (source, target), weight = adjacency.edges()
        weight = weight.clone()  # the values of a compressed matrix are a view of it
    return x.new_zeros(adjacency.shape[0], x.shape[1]).index_add(0, target, weight[:, None] * x[source])


def _exported_mean(adjacency: CSR, x: Tensor, layers: int) -> Tensor:
    total = x
    for _ in range(layers):
        total = x + _exported(adjacency, total)
    return total / (layers + 1)


def _check_width(adjacency: CSR, x: Tensor) -> None:
    if x.dim() != 2 or x.shape[0] != adjacency.shape[1]:
        raise ValueError(f"x must have {adjacency.shape[1]} rows, one per column of the matrix (got {tuple(x.shape)})")


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, adjacency: CSR, x: Tensor) -> Tensor:
        ctx.adjacency = adjacency
        result: Tensor = implementation("spmm", x.device)(adjacency.matrix, x)
        return result

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor]:
        return None, implementation("spmm", grad.device)(ctx.adjacency.transposed, grad.contiguous())


class _MeanPropagation(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, adjacency: CSR, x: Tensor, layers: int) -> Tensor:
        ctx.adjacency, ctx.layers = adjacency, layers
        return _mean_of_powers(adjacency.matrix, x, layers)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor, None]:
        return None, _mean_of_powers(ctx.adjacency.transposed, grad.contiguous(), ctx.layers), None


def _mean_of_powers(matrix: Tensor, x: Tensor, layers: int) -> Tensor:
    """Two buffers take turns, whatever the number of layers."""
    if layers == 0:
        return x.clone()
    product = implementation("spmm", x.device)
    scaled = x / (layers + 1)
    total = scaled
    spare: Tensor | None = None
    for _ in range(layers):
        result = product(matrix, total, base=scaled, out=spare)
        spare = None if total is scaled else total
        total = result
    return total
