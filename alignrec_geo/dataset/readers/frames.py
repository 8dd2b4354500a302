"""Frames of polars and pandas as tables, column by column, so that only what is used must be convertible."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import polars as pl

from alignrec_geo.dataset.readers.rows import Table
from alignrec_geo.errors import InputError
from alignrec_geo.reading import reading


def frame_table(frame: Any, what: str, wanted: Sequence[str]) -> Table:
    """Columns of a polars or pandas frame as a table (pandas need not be installed).

    A pandas column of Python objects that no type of polars holds stays one of objects, which may be ids. Named levels
    of a pandas index count as columns.

    Args:
        frame: polars ``DataFrame`` or ``LazyFrame``, or a pandas ``DataFrame``; it is not changed.
        what: what it holds, for errors.
        wanted: names of columns; those that are not there are left out.

    Raises:
        InputError: it is no frame, its columns have several levels, or a lazy frame cannot be collected.
    """
    label = f"{what} frame"
    names = frame_columns(frame, what)
    if isinstance(frame, pl.LazyFrame):
        with reading(label, "lazy frame"):
            frame = frame.collect()
    if not isinstance(frame, pl.DataFrame):
        kept = {name: _from_pandas(frame, names.index(name), name, label) for name in names if name in wanted}
        blank = pl.repeat(None, len(frame), dtype=pl.Null, eager=True)
        columns = [kept.get(name, blank).alias(name) for name in dict.fromkeys(names)]  # all, for errors to list
        twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        return Table(pl.DataFrame(columns), label, twice=twice)
    return Table(frame, label)


def frame_columns(frame: Any, what: str) -> list[str]:
    """Names of the columns of a frame, and of the named levels of a pandas index.

    Raises:
        InputError: it is no frame, or its columns have several levels.
    """
    if isinstance(frame, pl.DataFrame):
        return frame.columns
    if isinstance(frame, pl.LazyFrame):
        with reading(f"{what} frame", "lazy frame"):
            return frame.collect_schema().names()
    if not (hasattr(frame, "iloc") and hasattr(frame, "columns")):
        raise InputError(f"{what}: a polars or pandas frame is needed (got '{type(frame).__name__}')")
    if frame.columns.nlevels > 1:
        raise InputError(f"{what}: the columns of the pandas frame have {frame.columns.nlevels} levels; one is needed")
    names = [str(name) for name in frame.columns]
    return names + [str(name) for name in frame.index.names if name is not None and str(name) not in names]


def _from_pandas(frame: Any, place: int, name: str, label: str) -> pl.Series:
    width = frame.shape[1]
    levels = [level for level in frame.index.names if level is not None and str(level) == name]
    column = frame.iloc[:, place] if place < width else frame.index.get_level_values(levels[0]).to_series()
    if column.dtype == object:
        values = column.tolist()
        if any(isinstance(value, UUID) for value in values):
            return pl.Series(name, values, dtype=pl.Object)
        try:
            return pl.Series(name, pl.from_pandas(column)).alias(name)
        except (TypeError, ValueError, OverflowError, NotImplementedError):
            return pl.Series(name, values, dtype=pl.Object)
    with reading(f"{label}: column '{name}'", "column of pandas"):
        return pl.Series(name, pl.from_pandas(column)).alias(name)
