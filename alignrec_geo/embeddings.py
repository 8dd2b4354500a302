"""What every model ends in."""

from typing import NamedTuple

from torch import Tensor


class Embeddings(NamedTuple):
    """Two tables whose dot product is the score of a user for an item.

    Args:
        users: ``[U, D]``.
        items: ``[I, D]``.
    """

    users: Tensor
    items: Tensor
