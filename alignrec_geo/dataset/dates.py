"""Dates and times of polars as whole seconds and nanoseconds; those it can hold but not print are told apart."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

Int64 = NDArray[np.int64]

NANO = 10**9
YEARS = (-62_135_596_800, 253_402_300_799)
"""The first and the last second of the years 1 to 9999, counted from 1970."""
PER_SECOND = {"ms": 1_000, "us": 1_000_000, "ns": NANO}


def seconds_and_nanos(values: pl.Series) -> tuple[Int64, Int64]:
    """Seconds since 1970 of a column of dates or datetimes without nulls, and nanoseconds after them.

    Example:
        >>> import polars as pl
        >>> seconds_and_nanos(pl.Series([1_500]).cast(pl.Datetime("ms")))
        (array([1]), array([500000000]))
    """
    units = values.to_physical().cast(pl.Int64).to_numpy()
    if isinstance(values.dtype, pl.Datetime):
        per = PER_SECOND[values.dtype.time_unit]
        return units // per, units % per * (NANO // per)
    return units * 86_400, np.zeros_like(units)


def of_known_years(seconds: Int64) -> pl.Series:
    """Whether seconds since 1970 lie in the years 1 to 9999, which alone can be written as text."""
    return pl.Series((seconds >= YEARS[0]) & (seconds <= YEARS[1]))
