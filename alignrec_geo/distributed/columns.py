"""Between columns that lie apart and whole rows, with gradients.

The loss of a batch is computed by every rank from whole rows, with the same values everywhere. So the gradient of what
is whole is the same on every rank, and only where something whole becomes apart, or a sum of parts, do gradients have
to be exchanged (see `"Megatron-LM" <https://arxiv.org/abs/1909.08053>`_ for these pairs of operations):

================= ============================== ==============================
operation         forward                        backward
================= ============================== ==============================
all_columns       all-gather                     own columns, nothing is sent
all_rows          all-gather                     own rows, nothing is sent
own_columns       own columns, nothing is sent   all-gather
summed            all-reduce                     nothing is sent
shared            nothing is sent                all-reduce
scattered_sum     reduce-scatter                 all-gather
================= ============================== ==============================

Without a group all of them return what they are given.
"""

from typing import Any

import torch
from torch import Tensor

from alignrec_geo.distributed.group import Group, current


def all_columns(own: Tensor, whole: int | None = None) -> Tensor:
    """Make rows whole.

    Args:
        own: this rank's columns, ``[..., w]``.
        whole: number of all columns; ``None`` where all ranks have as many.

    Returns:
        ``[..., whole]``, the same on every rank; the gradient that arrives must be the same, too.

    Example:
        >>> all_columns(torch.ones(1, 2)).tolist()
        [[1.0, 1.0]]
    """
    group = current()
    if group is None:
        return own
    columns = group.size * own.shape[-1] if whole is None else whole
    result: Tensor = _AllColumns.apply(own, columns, group)  # type: ignore[no-untyped-call]
    return result


def all_rows(own: Tensor, whole: int) -> Tensor:
    """Put the rows of all ranks together, ``[whole, ...]``, in their order, from those of this one.

    Args:
        own: this rank's share of the rows, see :meth:`~alignrec_geo.distributed.group.Group.shares`.
        whole: number of all rows.

    Returns:
        The same on every rank; the gradient that arrives must be the same, too.

    Example:
        >>> all_rows(torch.ones(1, 2), 1).tolist()
        [[1.0, 1.0]]
    """
    group = current()
    if group is None:
        return own
    result: Tensor = _AllRows.apply(own, whole, group)  # type: ignore[no-untyped-call]
    return result


def own_columns(whole: Tensor) -> Tensor:
    """This rank's columns, ``[..., w]``, of what is whole everywhere, ``[..., W]``."""
    return _among_ranks(_OwnColumns, whole)


def summed(part: Tensor) -> Tensor:
    """The sum of all ranks' parts, the same on every rank."""
    return _among_ranks(_Summed, part)


def shared(whole: Tensor) -> Tensor:
    """What is whole everywhere, for a use by which every rank finds only a part of its gradient."""
    return _among_ranks(_Shared, whole)


def scattered_sum(part: Tensor) -> Tensor:
    """This rank's columns, ``[n, w]``, of the sum of all ranks' parts, ``[n, W]``."""
    return _among_ranks(_ScatteredSum, part)


def table_norm(own: Tensor) -> Tensor:
    """The Frobenius norm of a table whose columns may lie apart.

    Example:
        >>> float(table_norm(torch.tensor([[3.0, 4.0]])))
        5.0
    """
    if current() is None:
        norm: Tensor = own.norm()
        return norm
    return summed(own.square().sum()).sqrt()


def _among_ranks(function: type[torch.autograd.Function], tensor: Tensor) -> Tensor:
    """The function of the group and the tensor, which alone is as it is."""
    group = current()
    if group is None:
        return tensor
    result: Tensor = function.apply(tensor, group)
    return result


class _AllColumns(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: Tensor, whole: int, group: Group) -> Tensor:
        ctx.share = group.share(whole)
        return group.all_columns(own, whole)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return grad[..., ctx.share.slice].contiguous(), None, None


class _AllRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: Tensor, whole: int, group: Group) -> Tensor:
        ctx.share = group.share(whole)
        return group.all_rows(own, whole)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return grad[ctx.share.slice], None, None


class _OwnColumns(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, whole: Tensor, group: Group) -> Tensor:
        ctx.group, ctx.whole = group, whole.shape[-1]
        return whole[..., group.share(whole.shape[-1]).slice].contiguous()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return ctx.group.all_columns(grad, ctx.whole), None


class _Summed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, part: Tensor, group: Group) -> Tensor:
        return group.sum(part)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad, None


class _Shared(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, whole: Tensor, group: Group) -> Tensor:
        ctx.group = group
        return whole.view_as(whole)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return ctx.group.sum(grad), None


class _ScatteredSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, part: Tensor, group: Group) -> Tensor:
        ctx.group, ctx.whole = group, part.shape[1]
        return group.scattered_sum(part)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return ctx.group.all_columns(grad, ctx.whole), None
