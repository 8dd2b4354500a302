"""What is asked for: users by their ids, and how many items."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from alignrec_geo.dataset.ids import id_series, is_one_id, text_ids
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


def asked_series(given: Any, what: str) -> tuple[pl.Series, pl.Series]:
    """The same for many ids, as columns; one that comes again is left out.

    Args:
        given: ids; a polars Series keeps its type, without a look at every single one.
        what: what they are ids of, for messages.

    Example:
        >>> [column.to_list() for column in asked_series(pl.Series([13, 14, 13]), "users")]
        [[13, 14], ['13', '14']]
    """
    if isinstance(given, pl.Series):
        names = id_series(given, what)
        if names.null_count():
            raise InputError(f"{what}: an id is missing (number {int(names.is_null().arg_max() or 0) + 1} of them)")
        first = names.is_first_distinct()
        return (given, names) if first.all() else (given.filter(first), names.filter(first))
    asked = asked_ids(given, what)
    distinct = {name: key for key, name in reversed(asked.items())}
    return id_column_of(list(distinct.values())[::-1]), pl.Series(list(distinct)[::-1], dtype=pl.String)


def id_column_of(values: list[Any], name: str = "id") -> pl.Series:
    """External ids in the type in which they were given; as text where a frame has no such type."""
    try:
        column = pl.Series(name, values, dtype=None if values else pl.String)
    except (TypeError, ValueError, pl.exceptions.PolarsError):
        column = pl.Series(name, values, dtype=pl.Object)
    return column if column.dtype != pl.Object else pl.Series(name, [str(value) for value in values])


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
