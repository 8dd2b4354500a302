"""What a report asks of whoever can take scores apart: how much of them is identity, how much content."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from alignrec_geo.typing import Int64

IDENTITY = 0
"""Which of the parts is made of identities alone; all others but the rest have content in them."""


class ScoreParts(Protocol):
    """The parts of a model's scores."""

    names: Sequence[str]
    """Of the parts: identity with identity first, the rest (biases, what derivatives leave over) last."""
    exact: bool
    """Whether the parts are exact, or a first-order approximation."""

    def of(self, users: Int64, items: Int64) -> NDArray[np.float64]:
        """The parts of some scores, ``[n, len(names)]``; a row's sum is the score.

        Args:
            users: rows of users, ``[n]``.
            items: rows of items, ``[n]``.
        """
        ...


def shares(parts: NDArray[np.float64]) -> tuple[list[tuple[str, float]], str]:
    """The lengths of a bar in per cent by kind, and what it says; of one score.

    Args:
        parts: ``[P]``, see :class:`ScoreParts`.

    Example:
        >>> shares(np.array([1.0, 1.0, 1.0, 1.0, 0.0]))
        ([('identity', 25.0), ('content', 75.0), ('rest', 0.0)], 'content 75 %')
        >>> shares(np.array([1.0, -0.25, 0.0, 0.0, 0.0]))[1]
        'identity +1.00, content −0.25'
    """
    identity, content, rest = float(parts[IDENTITY]), float(parts[1:-1].sum()), float(parts[-1])
    sizes = {"identity": abs(identity), "content": abs(content), "rest": abs(rest)}
    total = max(sum(sizes.values()), 1e-12)
    bars = [(kind, round(100 * size / total, 1)) for kind, size in sizes.items()]
    if min(identity, content) < 0:
        said: Any = f"identity {identity:+.2f}, content {content:+.2f}".replace("-", "−")
    else:
        said = f"content {100 * content / max(identity + content, 1e-12):.0f} %"
    return bars, said
