"""Rows of a table gated by a map of other rows."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from alignrec_geo.distributed import current, own_columns, scattered_sum
from alignrec_geo.kernels.backends import choose, gradient_implementation, implementation
from alignrec_geo.kernels.fixed_shapes import fixed_shapes
from alignrec_geo.kernels.opaque import opaque


@opaque
def gated_rows(table: Tensor, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    r"""Return :math:`T \odot \sigma(x W^\top + b)`.

    Args:
        table: :math:`T`, ``[N, d]``.
        x: ``[N, D]``.
        weight: :math:`W`, ``[d, D]``.
        bias: :math:`b`, ``[d]``, whole on every rank; of the others a rank may have its columns alone.

    Returns:
        ``[N, d]``.

    Example:
        >>> gated_rows(torch.ones(1, 2), torch.ones(1, 1), torch.zeros(2, 1), torch.zeros(2)).tolist()
        [[0.5, 0.5]]
    """
    if current() is not None:  # x lies apart, and so does what comes out
        return table * torch.sigmoid(scattered_sum(x @ weight.T) + own_columns(bias))
    if choose("gate", table.device).runs == "torch":
        # on a GPU the product alone is faster than the product that adds the bias
        logits = x @ weight.T + bias if fixed_shapes(x.device) else F.linear(x, weight, bias)
        return table * torch.sigmoid(logits)
    result: Tensor = _GatedRows.apply(table, x, weight, bias)  # type: ignore[no-untyped-call]
    return result


def gate(table: Tensor, logits: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Backend ``torch``: the gated rows and the gates, ``[N, d]`` each. Every backend of ``gate`` has this signature.

    Args:
        table: ``[N, d]``.
        logits: ``[N, d]``, without the bias; not needed afterwards.
        bias: ``[d]``.
    """
    gates = torch.sigmoid(logits + bias)
    return table * gates, gates


def reference_gate(table: Tensor, logits: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Backend ``reference``: the plain formula."""
    gates = 1.0 / (1.0 + torch.exp(-(logits + bias)))
    return table * gates, gates


def gradient(grad: Tensor, table: Tensor, gates: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of :func:`gate` in plain torch: of table and logits, ``[N, d]`` each, and of the bias, ``[d]``.

    Args:
        grad: of the gated rows, ``[N, d]``.
        table: ``[N, d]``.
        gates: what :func:`gate` returned, ``[N, d]``.
    """
    slope = grad * table * gates * (1.0 - gates)
    return grad * gates, slope, slope.sum(dim=0)


class _GatedRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        result: Tensor
        result, gates = implementation("gate", table.device)(table, x @ weight.T, bias)
        ctx.save_for_backward(table, x, weight, gates)
        return result

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None, Tensor, Tensor]:
        table, x, weight, gates = ctx.saved_tensors
        of_table, slope, of_bias = gradient_implementation("gate", grad.device)(grad, table, gates)
        of_x = slope @ weight if ctx.needs_input_grad[1] else None
        return of_table, of_x, slope.T @ x, of_bias
