"""Penalties on the size of embeddings, in the two forms of the field."""

from collections.abc import Callable

import torch
from torch import Tensor


def norm_penalty(*tables: Tensor, norm: Callable[[Tensor], Tensor] = torch.Tensor.norm) -> Tensor:
    r"""Return the sum of the tables' Frobenius norms, **not squared**, over the rows of the last table.

    .. math::
        \frac{\|X_1\|_F + \dots + \|X_k\|_F}{\text{rows}(X_k)}

    Args:
        tables: ``[n, d]`` each.
        norm: the norm of one; :func:`~alignrec_geo.distributed.table_norm` where their columns may lie apart.

    Example:
        >>> float(norm_penalty(torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 1.0]])))
        6.0
    """
    return torch.stack([norm(table) for table in tables]).sum() / len(tables[-1])


def square_penalty(*tables: Tensor, divisor: float = 1.0) -> Tensor:
    r"""Return half of the tables' squared norms over ``divisor`` (usually the configured batch size).

    .. math::
        \frac{\|X_1\|_F^2 + \dots + \|X_k\|_F^2}{2 \cdot \text{divisor}}

    Example:
        >>> float(square_penalty(torch.tensor([[3.0, 4.0]]), divisor=5.0))
        2.5
    """
    return torch.stack([table.square().sum() for table in tables]).sum() / (2.0 * divisor)
