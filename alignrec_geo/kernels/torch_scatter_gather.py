"""Backend ``torch-scatter`` of ``gather``: ``torch_scatter.scatter_add``."""

from torch import Tensor
from torch_scatter import scatter_add

from alignrec_geo.kernels.gather import Order


def accumulate(grad: Tensor, rows: Tensor, size: int, order: Order | None = None) -> Tensor:
    """Add row ``j`` of ``grad`` to row ``rows[j]`` of a table of zeros.

    Args:
        grad: ``[n, D]``.
        rows: ``[n]`` int64.
        size: rows of the table, ``N``.
        order: not needed.

    Returns:
        ``[N, D]``.
    """
    table: Tensor = scatter_add(grad, rows, dim=0, dim_size=size)
    return table
