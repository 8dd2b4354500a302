"""The rows of a batch, whole, from tables whose columns may lie on several ranks."""

from typing import NamedTuple

import torch
from torch import Tensor

from alignrec_geo.distributed import all_columns, current
from alignrec_geo.kernels.gather import Order, gather_rows


class Wanted(NamedTuple):
    """Rows of a table, as :func:`~alignrec_geo.kernels.gather.gather_rows` takes them."""

    table: Tensor
    """``[N, d]``, or this rank's columns of it."""
    rows: Tensor
    """``[n]`` int64."""
    order: Order | None = None
    """Of ``rows``, if it is known already."""


def whole_rows(*wanted: Wanted) -> list[Tensor]:
    """Return the rows of a batch with all their columns, ``[n, d]`` of each table.

    This is where the ranks of a run meet: what comes before it, propagation above all, each computes for its own
    columns, and what comes after it, the loss, all compute alike. All tables together are one all-gather.

    Args:
        wanted: tables of one width, and rows of each.

    Example:
        >>> table = torch.tensor([[1.0], [2.0]])
        >>> [rows.tolist() for rows in whole_rows(Wanted(table, torch.tensor([1, 1])))]
        [[[2.0], [2.0]]]
    """
    own = [gather_rows(*each) for each in wanted]
    if current() is None:
        return own
    return list(all_columns(torch.cat(own)).split([len(part) for part in own]))
