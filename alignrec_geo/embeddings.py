"""What every model ends in."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from alignrec_geo.errors import InputError


class Embeddings(NamedTuple):
    """Two tables whose dot product is the score of a user for an item.

    Args:
        users: ``[U, D]``.
        items: ``[I, D]``.
    """

    users: Tensor
    items: Tensor


def fitting(tables: Any, n_users: int, n_items: int) -> Embeddings:
    """Return two tables without their gradients if they can rank these items for these users.

    Halves become float32; two precisions become the larger one.

    Args:
        tables: users and items.
        n_users: ``U``.
        n_items: ``I``.

    Raises:
        InputError: another number of rows, different widths, no real numbers, NaN or infinity.

    Example:
        >>> fitting((torch.ones(2, 4), torch.ones(3, 4)), 2, 3).users.shape
        torch.Size([2, 4])
    """
    if not isinstance(tables, tuple | list) or len(tables) != 2 or not all(isinstance(part, Tensor) for part in tables):
        raise InputError(f"two tables are needed, users [U, D] and items [I, D] (got a {type(tables).__name__})")
    users, items = (part.detach() for part in tables)
    shapes = f"{list(users.shape)} and {list(items.shape)}"
    if users.dim() != 2 or items.dim() != 2 or users.shape[1] != items.shape[1]:
        raise InputError(f"tables of users and items must be [U, D] and [I, D] (got {shapes})")
    if (len(users), len(items)) != (n_users, n_items):
        raise InputError(
            f"the tables hold {len(users)} users and {len(items)} items, the data set has {n_users} and {n_items}"
        )
    for name, part in (("users", users), ("items", items)):
        if not part.dtype.is_floating_point:
            raise InputError(f"the table of {name} must hold floating-point numbers (got {part.dtype})")
        if not bool(torch.isfinite(part).all()):
            bad = torch.nonzero(~torch.isfinite(part).all(dim=1))[:, 0]
            raise InputError(f"the table of {name} holds NaN or infinity in {len(bad)} rows (first: row {int(bad[0])})")
    kind = torch.promote_types(users.dtype, items.dtype)
    kind = kind if kind in (torch.float32, torch.float64) else torch.float32
    return Embeddings(users.to(kind), items.to(kind))
