"""Times of a table as numbers that keep their order: whole where all are whole, finer where one is."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np
import polars as pl

from alignrec_geo.dataset.dates import NANO, of_known_years, seconds_and_nanos
from alignrec_geo.dataset.readers.columns import check_rows, numbers_of
from alignrec_geo.dataset.readers.rows import Table
from alignrec_geo.errors import InputError
from alignrec_geo.typing import Int64

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
FRACTION = re.compile(r"(?<=:\d\d)[.,](\d+)")
ZONE = re.compile(r"\s*(?:UTC|GMT|Z)$|\s+(?=[+-]\d\d:?\d\d$)")
WANTED = "a number, or an ISO date or time of the years 1 to 9999 such as 2024-05-01T12:30:00.250"


Decide = Callable[[int, int, int], bool]
"""Called with how many texts are numbers, how many are dates, and how many there are: whether numbers are meant."""


class Moments(NamedTuple):
    """Times as seconds since 1970 and nanoseconds after them, ``[n]`` each."""

    seconds: Int64
    nanos: Int64


def likelier(numbers: int, dates: int, texts: int) -> bool:
    """Numbers are meant where more of the texts are numbers than dates.

    Example:
        >>> likelier(numbers=2, dates=1, texts=3)
        True
    """
    return numbers > dates


def time_column(table: Table, name: str) -> pl.Series:
    """Times as numbers that order: int64, or float64 where a number has a fraction.

    Numbers stay as they are. Dates and ISO texts become seconds since 1970 if all are whole seconds, else
    microseconds, or nanoseconds where one is that fine. Texts without a time zone are taken as UTC.

    Raises:
        InputError: no such column, or a row that holds neither a number nor a date or time, or one out of range; the
            message names the row.
    """
    found = read_times(table, name)
    if isinstance(found, pl.Series):
        return found
    seconds, nanos = found
    if not nanos.any():
        return pl.Series(name, seconds)
    if not (nanos % 1000).any():
        return pl.Series(name, seconds * 1_000_000 + nanos // 1000)
    check_nanos(table, name, found)
    return pl.Series(name, seconds * NANO + nanos)


def read_times(table: Table, name: str, decide: Decide = likelier, dates: bool = False) -> "pl.Series | Moments":
    """Times as numbers, int64 if all are whole, or as moments.

    Args:
        table: the rows.
        name: the column.
        decide: whether numbers are meant where not all texts are numbers.
        dates: texts are dates, also where all are numbers (``20240501``).

    Raises:
        InputError: see :func:`time_column`.
    """
    values = table.column(name)
    if values.dtype in (pl.Categorical, pl.Enum):
        values = values.cast(pl.String)
    if values.dtype in (pl.Date, pl.Datetime):
        return _of_dates(table, name, values)
    numbers = numbers_of(values, table.decimal)
    if numbers is None:
        raise InputError(f"{table.label}: column '{name}' holds {values.dtype}; times are numbers or ISO text")
    numeric = numbers.is_finite().fill_null(False)
    if values.dtype == pl.String and (dates or not numeric.all()):
        return _of_texts(table, name, values, numeric, decide)
    check_rows(table, name, values, numeric, "a number")
    plain = values.str.strip_chars() if values.dtype == pl.String else values
    exact = plain.cast(pl.Int64, strict=False)
    check_rows(table, name, values, exact.is_not_null() | (numbers.abs() < 2**63), "a number below 2^63")
    whole = exact.fill_null(numbers.cast(pl.Int64, strict=False))
    return whole if (whole.cast(pl.Float64) == numbers).all() else numbers


def iso_time(text: str) -> tuple[int, int] | None:
    """Seconds since 1970 and nanoseconds after them, ``None`` if the text is no ISO date or time.

    Example:
        >>> iso_time("1970-01-01T00:00:05.25Z"), iso_time("1970-01-02"), iso_time("yesterday")
        ((5, 250000000), (86400, 0), None)
    """
    plain = ZONE.sub(lambda found: "" if found[0].isspace() else "Z", text.strip().upper())
    fraction = FRACTION.search(plain)
    try:
        moment = datetime.fromisoformat(FRACTION.sub("", plain, count=1))
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds, rest = divmod(aware - EPOCH, SECOND)
    except (ValueError, OverflowError):
        return None
    nanos = int(fraction[1][:9].ljust(9, "0")) if fraction else 0
    return (seconds, nanos) if not rest else None


def check_nanos(table: Table, name: str, times: Moments) -> None:
    """Refuse moments that 64 bits cannot count in nanoseconds.

    Raises:
        InputError: there is one; the message names the row.
    """
    small = pl.Series(np.abs(times.seconds) < 2**63 // NANO)
    wanted = "a time of the years 1678 to 2262, as others have nanoseconds,"
    check_rows(table, name, table.column(name).to_physical(), small, wanted)


def count_times(values: pl.Series, decimal: str | None) -> tuple[int, int]:
    """How many texts are numbers, and how many are dates or times."""
    numbers = numbers_of(values, decimal)
    assert numbers is not None
    good = [text for text in values.unique().drop_nulls().to_list() if iso_time(text)]
    return int(numbers.is_finite().sum()), int(values.is_in(good).sum())


def _of_texts(table: Table, name: str, values: pl.Series, numeric: pl.Series, decide: Decide) -> "pl.Series | Moments":
    parsed = {text: iso_time(text) for text in values.unique().drop_nulls().to_list()}
    good = values.is_in([text for text, found in parsed.items() if found]).fill_null(False)
    meant = numeric if decide(int(numeric.sum()), int(good.sum()), len(values)) else good
    check_rows(table, name, values, meant, WANTED)
    found = [parsed[text] or (0, 0) for text in values.to_list()]
    pairs = np.array(found, dtype=np.int64).reshape(-1, 2)
    return _known(table, name, values, pairs[:, 0], pairs[:, 1])


def _of_dates(table: Table, name: str, values: pl.Series) -> Moments:
    check_rows(table, name, values, values.is_not_null(), "a time")
    return _known(table, name, values, *seconds_and_nanos(values))


def _known(table: Table, name: str, values: pl.Series, seconds: Int64, nanos: Int64) -> Moments:
    given = values.to_physical()  # polars cannot print dates of other years
    check_rows(table, name, given, of_known_years(seconds), "a time of the years 1 to 9999")
    return Moments(seconds, nanos)
