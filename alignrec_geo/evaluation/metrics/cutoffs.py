"""The values of ``K``."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from alignrec_geo.errors import InputError

CUTOFFS = (5, 10, 20, 50)
MOST = 1_000_000
"""The largest cutoff."""


def cutoff_tuple(cutoffs: Any) -> tuple[int, ...]:
    """Return cutoffs as a tuple of whole numbers; one number stands for itself.

    Raises:
        InputError: none, or something else than whole numbers from 1 to a million.

    Example:
        >>> cutoff_tuple(10), cutoff_tuple([5, 10])
        ((10,), (5, 10))
    """
    given = [cutoffs] if isinstance(cutoffs, int | np.integer) else cutoffs
    values = list(given) if isinstance(given, Iterable) and not isinstance(given, str | bytes | Mapping) else []
    good = all(isinstance(k, int | np.integer) and not isinstance(k, bool) and 1 <= k <= MOST for k in values)
    if not values or not good or len(set(values)) < len(values):
        raise InputError(f"cutoffs must be different whole numbers of at least 1 (got {cutoffs!r:.80})")
    return tuple(int(k) for k in values)
