"""Row numbers checked before they index anything: an unchecked one reads, or writes, somebody else's row."""

import torch
from torch import Tensor

from alignrec_geo.errors import InputError


def outlier(numbers: Tensor, count: int) -> int | None:
    """Return a number outside ``0 … count - 1``, the largest if it is too large, else the smallest; ``None`` if none.

    Example:
        >>> outlier(torch.tensor([0, 3, 7]), 4), outlier(torch.tensor([-1, 3]), 4), outlier(torch.tensor([0, 3]), 4)
        (7, -1, None)
    """
    if not numbers.numel():
        return None
    least, most = (int(bound) for bound in torch.aminmax(numbers))
    return most if most >= count else least if least < 0 else None


def check_rows(numbers: Tensor, count: int, kind: str) -> None:
    """Refuse row numbers outside ``0 … count - 1``.

    Args:
        numbers: int64, any shape.
        count: how many rows there are.
        kind: what they number, for the message.

    Raises:
        InputError: names the number and the count.

    Example:
        >>> check_rows(torch.tensor([0, 40]), 40, "item")
        Traceback (most recent call last):
        alignrec_geo.errors.InputError: there is no item 40: there are 40, counted from 0
    """
    found = outlier(numbers, count)
    if found is not None:
        raise InputError(f"there is no {kind} {found}: there are {count}, counted from 0")
