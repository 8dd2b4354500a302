"""Functions of whole rows on tables whose columns may lie on several ranks."""

from collections.abc import Callable

from torch import Tensor

from alignrec_geo.distributed import current


def by_rows(function: Callable[..., Tensor], *tables: Tensor, beside: tuple[Tensor | None, ...] = ()) -> Tensor:
    """Return what a function makes of tables, row by row, without gradients where there are several ranks.

    On many ranks each gets some rows as a whole, computes the function for them, and hands the columns of the result to
    the ranks that they belong to. So the work is shared, and nobody holds a whole table.

    Args:
        function: from whole rows ``[n, ..., d]`` of every table to ``[n, d']``, each row by itself.
        tables: ``[N, ..., d]`` each, or this rank's columns of them.
        beside: given to the function after the tables; their rows are whole everywhere, ``[N, ...]``.

    Returns:
        ``[N, d']``, or this rank's columns of it.

    Example:
        >>> import torch
        >>> by_rows(lambda rows: 2 * rows, torch.ones(2, 1)).tolist()
        [[2.0], [2.0]]
    """
    group = current()
    if group is None:
        return function(*tables, *beside)
    count = len(tables[0])
    own = group.share(count).slice
    whole = [group.rows_of(table, group.size * table.shape[-1]) for table in tables]
    return group.columns_of(function(*whole, *(None if each is None else each[own] for each in beside)), count)
