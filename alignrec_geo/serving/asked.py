"""What is asked for: users by their ids, and how many items."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from alignrec_geo.dataset.ids import is_one_id, text_ids
from alignrec_geo.errors import InputError


def asked_ids(given: Any, what: str) -> dict[Any, str]:
    """Return every id that was given, as it was given, with the text by which the data set knows it.

    Args:
        given: one id, or a list, set, array, tensor or Series of them.
        what: what they are ids of, for messages.

    Raises:
        InputError: something else, or one of them is no id.

    Example:
        >>> asked_ids("13", "users"), asked_ids([13, 14], "users")
        ({'13': '13'}, {13: '13', 14: '14'})
    """
    if isinstance(given, Iterator | set | frozenset):
        given = list(given)
    texts = text_ids(given, what)
    if is_one_id(given):
        each = [given]
    else:
        dates = getattr(getattr(given, "dtype", None), "kind", "") in ("M", "m")
        each = given.tolist() if hasattr(given, "tolist") and not dates else list(given)
    # an array of no dimension may not be a key
    keys = [one.item() if getattr(one, "ndim", None) == 0 and hasattr(one, "item") else one for one in each]
    return dict(zip(keys, texts, strict=True))


def asked_count(k: Any) -> int:
    """Return how many items are wanted.

    Raises:
        InputError: it is no whole number of at least 1.
    """
    if isinstance(k, bool) or not isinstance(k, int | np.integer):
        raise InputError(f"k must be a whole number (got {k!r:.80})")
    if k < 1:
        raise InputError(f"k must be at least 1 (got {k})")
    return int(k)
