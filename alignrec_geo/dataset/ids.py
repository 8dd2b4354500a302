"""Ids as people give them, and the one text that a data set knows each of them by."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from numbers import Number
from typing import Any
from uuid import UUID

import numpy as np
import polars as pl

from alignrec_geo.dataset.dates import of_known_years, seconds_and_nanos
from alignrec_geo.errors import InputError

WRITTEN_AS_FLOAT = r"^(0|-?[1-9][0-9]*)\.0$"
"""A whole number as pandas writes it where the column once held a missing value."""


PLAIN = (pl.String, pl.Binary, pl.Boolean, pl.Categorical, pl.Enum, pl.Date, pl.Datetime, pl.Null)
"""Types beside numbers that may be ids."""


def text_id(value: Any, what: str = "id") -> str:
    """The text by which a data set knows an id: the same for ``'13'``, ``13``, ``np.int64(13)`` and ``13.0``.

    Args:
        value: text, a whole number, a UUID, bytes of UTF-8 text, a date, a truth value, or an array or tensor
            that holds one of these.
        what: what the id is of, first in the message.

    Raises:
        InputError: it is missing or blank, or of another type.

    Example:
        >>> text_id(13), text_id(13.0), text_id("13"), text_id(np.int64(13))
        ('13', '13', '13', '13')
    """
    if isinstance(value, str):
        text = str.__str__(value)
    elif isinstance(value, bool | np.bool_):
        text = str(bool(value)).lower()
    elif isinstance(value, int | np.integer):
        text = str(int(value))
    elif isinstance(value, UUID):
        text = str(value)
    elif isinstance(value, bytes | float | np.floating | Decimal | date | np.datetime64):
        kept = np.array([value]) if isinstance(value, np.generic) else [value]
        text = id_series(pl.Series("id", kept), what)[0] or ""
    elif getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        return text_id(value.item(), what)
    elif value is None or type(value).__name__ in ("NAType", "NaTType"):
        text = ""
    else:
        raise InputError(f"{what}: an id is text or a whole number (got '{type(value).__name__}')")
    if not text.strip():
        raise InputError(f"{what}: an id is missing (got {value!r})")
    return text


ITEM_IDS, USER_IDS, WHOLE_NUMBERS = "item_ids", "user_ids", "whole numbers"
"""What ``source`` of a data set says where the ids were whole numbers, not text."""


def whole_ids(user: bool, item: bool) -> dict[str, str]:
    """What goes into ``source`` of a data set, so that frames of results hold ids in the type they once had.

    Args:
        user: whether the ids of users were whole numbers.
        item: whether those of items were.

    Example:
        >>> whole_ids(user=True, item=False)
        {'user_ids': 'whole numbers'}
    """
    return {key: WHOLE_NUMBERS for key, they_are in ((USER_IDS, user), (ITEM_IDS, item)) if they_are}


def in_given_type(ids: pl.Series, whole: bool) -> pl.Series:
    """External ids as whole numbers, if they once were and all still are; an item that came later may be no number."""
    numbers = ids.cast(pl.Int64, strict=False) if whole else ids
    return ids if numbers.null_count() else numbers


def is_one_id(value: Any) -> bool:
    """Whether ``value`` is one id and not a collection of ids.

    Example:
        >>> is_one_id("13"), is_one_id(13), is_one_id(["13"])
        (True, True, False)
    """
    return isinstance(value, str | bytes | Number | UUID | date | np.generic) or getattr(value, "ndim", None) == 0


def text_ids(values: Any, what: str = "ids") -> list[str]:
    """The texts of one id or of a collection of ids: a list, a Series, an array, a tensor.

    Raises:
        InputError: it is no collection, or one of the ids is none; the message says which.

    Example:
        >>> text_ids([13, "14"]), text_ids("13")
        (['13', '14'], ['13'])
    """
    if is_one_id(values):
        return [text_id(values, what)]
    if isinstance(values, dict | set | frozenset) or not isinstance(values, Iterable):
        raise InputError(f"{what}: a list of ids is needed (got '{type(values).__name__}')")
    if getattr(values, "ndim", 1) != 1:
        raise InputError(f"{what}: a list of ids is needed (got shape {tuple(values.shape)})")  # type: ignore[attr-defined]
    plain = values.tolist() if hasattr(values, "tolist") and not _holds_dates(values) else values
    return [
        value if type(value) is str and value.strip() else text_id(value, f"{what}, number {number} of them")
        for number, value in enumerate(plain, start=1)
    ]


def id_series(values: pl.Series, label: str, as_written: bool = False) -> pl.Series:
    """A column of ids as text; whole numbers stored or written as floats lose their ``.0``, blanks become null.

    A text column is taken as whole numbers written with ``.0`` only where all of it is.

    Args:
        values: of any plain type.
        label: what they are, first in the message.
        as_written: leave text as it is, for a part of a column; see :func:`written_as_floats`.

    Raises:
        InputError: the values cannot be ids: nested, or bytes that are no text.
    """
    kind = values.dtype
    if kind == pl.Object:
        return pl.Series(values.name, [_or_none(value, label) for value in values.to_list()], dtype=pl.String)
    if not (kind.is_numeric() or kind in PLAIN):
        raise InputError(f"{label} holds {kind}; ids are text or whole numbers")
    if kind == pl.Binary:
        text = _decoded(values, label)
    elif kind in (pl.Date, pl.Datetime):
        if not of_known_years(seconds_and_nanos(values.drop_nulls())[0]).all():
            raise InputError(f"{label} holds a date outside of the years 1 to 9999")
        text = values.cast(pl.String)
    elif kind.is_float():
        text = _float_texts(values)
    elif kind.is_decimal():
        text = values.cast(pl.String).str.replace(r"\.0+$", "")
    else:
        text = values.cast(pl.String)
    if not as_written and kind == pl.String and written_as_floats(text):
        text = text.str.strip_suffix(".0")
    return pl.select(pl.when(text.str.strip_chars() != "").then(text).alias(values.name)).to_series()


def written_as_floats(text: pl.Series) -> bool:
    """Whether all texts of a column are whole numbers that are written with ``.0``.

    Example:
        >>> written_as_floats(pl.Series(["7.0", None])), written_as_floats(pl.Series(["7.0", "x"]))
        (True, False)
    """
    return len(text) > 0 and bool(text.drop_nulls().str.contains(WRITTEN_AS_FLOAT).all())


def _float_texts(values: pl.Series) -> pl.Series:
    whole = values.cast(pl.Int64, strict=False)
    same = (whole.cast(values.dtype) == values).fill_null(False)
    written = pl.when(same).then(whole.cast(pl.String)).otherwise(values.cast(pl.String))
    return pl.select(pl.when(values.is_finite()).then(written)).to_series()


def _decoded(values: pl.Series, label: str) -> pl.Series:
    try:
        decoded = [None if value is None else value.decode() for value in values.to_list()]
    except UnicodeDecodeError as error:
        raise InputError(
            f"{label} holds bytes that are no UTF-8 text; ids are text (got {error.object!r:.80})"
        ) from None
    return pl.Series(values.name, decoded, dtype=pl.String)


def _or_none(value: Any, label: str) -> str | None:
    missing = value is None or value != value or type(value).__name__ in ("NAType", "NaTType")
    blank = isinstance(value, str) and not value.strip()
    return None if missing or blank else text_id(value, label)


def _holds_dates(values: Any) -> bool:
    return getattr(getattr(values, "dtype", None), "kind", "") in ("M", "m")
