"""Edges that stay where they are while their weights change: sparse products that are differentiable in the weights."""

from typing import Any

import torch
from torch import Tensor

from alignrec_geo.kernels.backends import implementation
from alignrec_geo.kernels.edge_pattern import EdgePattern
from alignrec_geo.kernels.fixed_shapes import fixed_shapes
from alignrec_geo.kernels.opaque import opaque
from alignrec_geo.kernels.row_blocks import row_blocks


@opaque
def weighted_spmm(pattern: EdgePattern, weight: Tensor, x: Tensor) -> Tensor:
    r"""Return the weighted sum over each row's edges; gradients go to the weights and to ``x``.

    .. math::
        y_r = \sum_{e = (r, c)} w_e \, x_c

    Args:
        pattern: ``[rows, cols]`` with ``E`` edges.
        weight: ``[E]``, in the pattern's order.
        x: ``[cols, D]``.

    Returns:
        ``[rows, D]``; zero rows where there are no edges.

    Example:
        >>> import torch
        >>> pattern = EdgePattern.from_coo(torch.tensor([0, 0]), torch.tensor([0, 1]), (2, 2))
        >>> weighted_spmm(pattern, torch.tensor([2.0, 3.0]), torch.tensor([[1.0], [10.0]])).tolist()
        [[32.0], [0.0]]
    """
    _check_values(pattern, weight)
    _check_rows("x", x, pattern.shape[1])
    result: Tensor = _WeightedProduct.apply(pattern, weight, x)  # type: ignore[no-untyped-call]
    return result


@opaque
def edge_dot(pattern: EdgePattern, a: Tensor, b: Tensor) -> Tensor:
    r"""Return the inner product of the two ends of every edge; the gradients are two sparse products.

    .. math::
        s_e = a_r^\top b_c, \quad e = (r, c)

    Args:
        pattern: ``[rows, cols]`` with ``E`` edges.
        a: ``[rows, D]``.
        b: ``[cols, D]``.

    Returns:
        ``[E]``, in the pattern's order.
    """
    _check_rows("a", a, pattern.shape[0])
    _check_rows("b", b, pattern.shape[1])
    result: Tensor = _EdgeDot.apply(pattern, a, b)  # type: ignore[no-untyped-call]
    return result


@opaque
def edge_softmax(pattern: EdgePattern, logits: Tensor) -> Tensor:
    r"""Return the softmax over each row's edges.

    .. math::
        \alpha_e = \frac{\exp(l_e)}{\sum_{e' = (r, \cdot)} \exp(l_{e'})}, \quad e = (r, c)

    Args:
        pattern: with ``E`` edges.
        logits: ``[E]``, in the pattern's order; any size, the largest of each row is subtracted first.

    Returns:
        ``[E]``.
    """
    _check_values(pattern, logits)
    result: Tensor = _EdgeSoftmax.apply(pattern, logits)  # type: ignore[no-untyped-call]
    return result


def row_sum(pattern: EdgePattern, value: Tensor) -> Tensor:
    """Return the sum of the values of each row's edges, ``[rows]``."""
    _check_values(pattern, value)
    if not fixed_shapes(value.device):
        offsets = pattern.csr.matrix.crow_indices().long()
        return torch.segment_reduce(value, "sum", offsets=offsets, unsafe=True)
    ones = value.new_ones(pattern.shape[1], 1)  # a product adds up in the same order every time, atomics do not
    return weighted_spmm(pattern, value, ones)[:, 0]


@opaque
def gather_columns(pattern: EdgePattern, value: Tensor) -> Tensor:
    r"""Return for every edge the value of its column; the gradient adds up each column's edges.

    .. math::
        s_e = v_c, \quad e = (r, c)

    Args:
        pattern: ``[rows, cols]`` with ``E`` edges.
        value: ``[cols]``.

    Returns:
        ``[E]``, in the pattern's order.

    Example:
        >>> import torch
        >>> pattern = EdgePattern.from_coo(torch.tensor([0, 0]), torch.tensor([0, 1]), (2, 2))
        >>> gather_columns(pattern, torch.tensor([2.0, 3.0])).tolist()
        [2.0, 3.0]
    """
    _check_rows("value", value[:, None], pattern.shape[1])
    result: Tensor = _GatherColumns.apply(pattern, value)  # type: ignore[no-untyped-call]
    return result


def reference_weighted_spmm(pattern: EdgePattern, weight: Tensor, x: Tensor) -> Tensor:
    """The plain formula of :func:`weighted_spmm`: gather, weigh, add."""
    return x.new_zeros(pattern.shape[0], x.shape[1]).index_add(0, pattern.row, weight[:, None] * x[pattern.col])


def reference_edge_dot(pattern: EdgePattern, a: Tensor, b: Tensor) -> Tensor:
    """The plain formula of :func:`edge_dot`: gather both ends."""
    return (a[pattern.row] * b[pattern.col]).sum(dim=1)


def reference_edge_softmax(pattern: EdgePattern, logits: Tensor) -> Tensor:
    """The plain formula of :func:`edge_softmax`: one row after the other."""
    lengths = pattern.csr.matrix.crow_indices().diff().tolist()
    return torch.cat([row.softmax(dim=0) for row in logits.split(lengths)]) if len(logits) else logits.clone()


def _multiply(matrix: Tensor, weight: Tensor, x: Tensor) -> Tensor:
    matrix.values().copy_(weight)
    result: Tensor = implementation("spmm", x.device)(matrix, x.contiguous())
    return result


def _dot(matrix: Tensor, a: Tensor, b: Tensor) -> Tensor:
    # a dense product that is evaluated at the edges only: no [E, D] temporary
    a, b = a.contiguous(), b.contiguous().T
    matrix.values().zero_()  # a CPU adds 0 times what stands there, and 0 times infinity is not a number
    if not fixed_shapes(a.device):  # a CPU writes into the scratch: nothing but the values is copied
        for rows, block in row_blocks(matrix):
            torch.sparse.sampled_addmm(block, a[rows], b, beta=0.0, out=block)
        return matrix.values().clone()
    parts = [torch.sparse.sampled_addmm(block, a[rows], b, beta=0.0).values() for rows, block in row_blocks(matrix)]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _check_values(pattern: EdgePattern, value: Tensor) -> None:
    if value.shape != (pattern.nnz,):
        raise ValueError(f"one value per edge is needed, [{pattern.nnz}] (got {tuple(value.shape)})")


def _check_rows(name: str, x: Tensor, rows: int) -> None:
    if x.dim() != 2 or x.shape[0] != rows:
        raise ValueError(f"{name} must have {rows} rows, as many as the pattern's side (got {tuple(x.shape)})")


class _WeightedProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, pattern: EdgePattern, weight: Tensor, x: Tensor) -> Tensor:
        ctx.pattern = pattern
        ctx.save_for_backward(weight, x)
        return _multiply(pattern.csr.matrix, weight, x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor | None, Tensor | None]:
        weight, x = ctx.saved_tensors
        pattern, (_, needs_weight, needs_x) = ctx.pattern, ctx.needs_input_grad
        to_weight = _dot(pattern.csr.matrix, grad, x) if needs_weight else None
        to_x = _multiply(pattern.csr.transposed, pattern.transpose_values(weight), grad) if needs_x else None
        return None, to_weight, to_x


class _EdgeDot(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, pattern: EdgePattern, a: Tensor, b: Tensor) -> Tensor:
        ctx.pattern = pattern
        ctx.save_for_backward(a, b)
        return _dot(pattern.csr.matrix, a, b)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor | None, Tensor | None]:
        a, b = ctx.saved_tensors
        pattern, (_, needs_a, needs_b) = ctx.pattern, ctx.needs_input_grad
        to_a = _multiply(pattern.csr.matrix, grad, b) if needs_a else None
        to_b = _multiply(pattern.csr.transposed, pattern.transpose_values(grad), a) if needs_b else None
        return None, to_a, to_b


class _GatherColumns(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, pattern: EdgePattern, value: Tensor) -> Tensor:
        ctx.pattern = pattern
        return value.index_select(0, pattern.col)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor]:
        return None, row_sum(ctx.pattern.T, ctx.pattern.transpose_values(grad))


class _EdgeSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, pattern: EdgePattern, logits: Tensor) -> Tensor:
        pointer = pattern.csr.matrix.crow_indices().long()
        largest = torch.segment_reduce(logits, "max", offsets=pointer, unsafe=True)  # [rows]
        exponential = (logits - largest.index_select(0, pattern.row)).exp_()
        total = row_sum(pattern, exponential)
        result = exponential.div_(total.index_select(0, pattern.row))
        ctx.pattern = pattern
        ctx.save_for_backward(result)
        return result

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor]:
        (alpha,) = ctx.saved_tensors
        weighted = grad * alpha
        mean = row_sum(ctx.pattern, weighted).index_select(0, ctx.pattern.row)  # Σ_e α_e g_e of the edge's row
        return None, weighted.addcmul_(alpha, mean, value=-1)
