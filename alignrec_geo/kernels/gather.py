"""Rows of a table by number, with a gradient that adds up rows that occur several times."""

from typing import Any

import torch
from torch import Tensor

from alignrec_geo.kernels.backends import implementation
from alignrec_geo.kernels.opaque import opaque


@opaque
def gather_rows(table: Tensor, rows: Tensor) -> Tensor:
    """Return ``table[rows]``; the backward adds the gradients of equal rows in one pass.

    Args:
        table: ``[N, D]``.
        rows: ``[n]`` int64, any order, repeats allowed.

    Returns:
        ``[n, D]``.
    """
    result: Tensor = _Gather.apply(table, rows)  # type: ignore[no-untyped-call]
    return result


def reference_gather_rows(table: Tensor, rows: Tensor) -> Tensor:
    """The plain formula of :func:`gather_rows`."""
    return table[rows]


def accumulate(grad: Tensor, rows: Tensor, size: int) -> Tensor:
    """Backend ``torch``: add row ``j`` of ``grad`` to row ``rows[j]`` of a table of zeros.

    Every backend of ``gather`` has this signature.

    Args:
        grad: ``[n, D]``.
        rows: ``[n]`` int64.
        size: rows of the table, ``N``.

    Returns:
        ``[N, D]``.
    """
    return grad.new_zeros(size, grad.shape[1]).index_add_(0, rows, grad)


def reference_accumulate(grad: Tensor, rows: Tensor, size: int) -> Tensor:
    """Backend ``reference``: one row after the other."""
    table = grad.new_zeros(size, grad.shape[1])
    for row, values in zip(rows.tolist(), grad, strict=True):
        table[row] += values
    return table


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, rows: Tensor) -> Tensor:
        ctx.save_for_backward(rows)
        ctx.size = len(table)
        return table.index_select(0, rows)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (rows,) = ctx.saved_tensors
        return implementation("gather", grad.device)(grad.contiguous(), rows, ctx.size), None
