"""Rows of a table by number, with a gradient that adds up rows that occur several times."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from alignrec_geo.kernels.backends import implementation, plan_implementation
from alignrec_geo.kernels.opaque import opaque


class Order(NamedTuple):
    """Row numbers in ascending order, which a backward needs that adds up equal ones without atomics."""

    rows: Tensor
    """The numbers in order, ``[n]`` int64."""
    source: Tensor
    """Where each came from, ``[n]`` int64; equal ones in their old order."""

    def then(self, later: "Order", offset: int) -> "Order":
        """The order of these rows, followed by others that are all larger once ``offset`` is added to them."""
        rows = torch.cat([self.rows, later.rows + offset])
        return Order(rows, torch.cat([self.source, later.source + len(self.source)]))


@opaque
def row_order(rows: Tensor, size: int) -> Order | None:
    """Return the order of row numbers, to be made once for several tables and before anything waits for it.

    Args:
        rows: ``[n]`` int64.
        size: rows of the table, ``N``.

    Returns:
        ``None`` where the backend of ``gather`` needs none.
    """
    plan = plan_implementation("gather", rows.device)
    return None if plan is None else Order(*plan(rows, size))


@opaque
def gather_rows(table: Tensor, rows: Tensor, order: Order | None = None) -> Tensor:
    """Return ``table[rows]``; the backward adds the gradients of equal rows in one pass.

    Args:
        table: ``[N, D]``.
        rows: ``[n]`` int64, any order, repeats allowed.
        order: of ``rows``, if it is known already.

    Returns:
        ``[n, D]``.
    """
    result: Tensor = _Gather.apply(table, rows, order)  # type: ignore[no-untyped-call]
    return result


def reference_gather_rows(table: Tensor, rows: Tensor) -> Tensor:
    """The plain formula of :func:`gather_rows`."""
    return table[rows]


def accumulate(grad: Tensor, rows: Tensor, size: int, order: Order | None = None) -> Tensor:
    """Backend ``torch``: add row ``j`` of ``grad`` to row ``rows[j]`` of a table of zeros.

    Every backend of ``gather`` has this signature.

    Args:
        grad: ``[n, D]``.
        rows: ``[n]`` int64.
        size: rows of the table, ``N``.
        order: of ``rows``, if it is known.

    Returns:
        ``[N, D]``.
    """
    return grad.new_zeros(size, grad.shape[1]).index_add_(0, rows, grad)


def reference_accumulate(grad: Tensor, rows: Tensor, size: int, order: Order | None = None) -> Tensor:
    """Backend ``reference``: one row after the other."""
    table = grad.new_zeros(size, grad.shape[1])
    for row, values in zip(rows.tolist(), grad, strict=True):
        table[row] += values
    return table


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, rows: Tensor, order: Order | None) -> Tensor:
        ctx.save_for_backward(rows, *(order or ()))
        ctx.size = len(table)
        return table.index_select(0, rows)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        rows, *order = ctx.saved_tensors
        run = implementation("gather", grad.device)
        return run(grad.contiguous(), rows, ctx.size, Order(*order) if order else None), None, None
