"""What AlignRec makes before it fuses."""

from typing import NamedTuple

from torch import Tensor


class AlignRecViews(NamedTuple):
    """The two branches on all nodes."""

    identity: Tensor
    """``c``, ``[U + I, d]``, users first."""
    content_users: Tensor | None
    """``m_U``, ``[U, d]``; ``None`` without features."""
    content_items: Tensor | None
    """``m_I``, ``[I, d]``; ``None`` without features."""
