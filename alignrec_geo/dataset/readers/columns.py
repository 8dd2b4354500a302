"""Columns of a table as the data set types them: ids, splits, times and ratings, checked row by row."""

from collections.abc import Sequence

import polars as pl

from alignrec_geo.dataset.ids import id_series
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.dataset.readers.rows import Table, shown
from alignrec_geo.errors import InputError

SPLIT_VALUES = {
    "0": Split.TRAIN,
    "train": Split.TRAIN,
    "1": Split.VALIDATION,
    "validation": Split.VALIDATION,
    "valid": Split.VALIDATION,
    "val": Split.VALIDATION,
    "dev": Split.VALIDATION,
    "2": Split.TEST,
    "test": Split.TEST,
}
"""What a split column may hold, in lower case."""


SKIP = "; skip_empty_ids=True leaves such rows out"


def with_ids(table: Table, *names: str) -> tuple[Table, list[str]]:
    """The rows that have an id in each of some columns, and a note on the others."""
    filled = [id_series(table.column(name), f"{table.label}: column '{name}'").is_not_null() for name in names]
    kept = pl.select(pl.all_horizontal(filled)).to_series()
    if kept.all():
        return table, []
    first = table.where(int((~kept).arg_max() or 0))
    which = " or ".join(f"'{name}'" for name in names)
    note = f"{table.label}: {int((~kept).sum())} rows without an id in column {which} were left out (first: {first})"
    return table.take(kept), [note]


def id_column(table: Table, name: str, hint: str = "") -> pl.Series:
    """Ids as text; whole numbers stored or written as floats lose their ``.0``.

    Args:
        table: the rows.
        name: the column.
        hint: ends the error for a row without an id.

    Raises:
        InputError: no such column, a row without an id, or a column that cannot hold ids.
    """
    values = table.column(name)
    if name in table.nested:
        raise InputError(f"{table.label}: column '{name}' holds lists or objects; ids are text or whole numbers")
    ids = id_series(values, f"{table.label}: column '{name}'")
    if ids.null_count():
        row = int(ids.is_null().arg_max() or 0)
        raise InputError(f"{table.label}: {table.where(row)} has no id in column '{name}'{hint}")
    broken = ids.str.contains_any(["\n", "\r"])
    if broken.any():
        row = int(broken.arg_max() or 0)
        raise InputError(
            f"{table.label}: {table.where(row)} has an id with a line break in column '{name}'; does a quote open "
            "there that is not closed, or belongs to the text?"
        )
    return ids


def split_column(table: Table, name: str, unused: Sequence[str] = ()) -> pl.Series:
    """Values of a split column as :class:`Split` numbers (int8).

    Args:
        table: the rows.
        name: the column: ``0``/``train``, ``1``/``validation``/``valid``/``val``/``dev``, ``2``/``test``, in
            any case.
        unused: further values whose rows belong to no split.

    Raises:
        InputError: another value; the message names it and its first row.
    """
    values = id_series(table.column(name), f"{table.label}: column '{name}'")
    plain = values.str.strip_chars().str.to_lowercase().str.replace(r"\.0+$", "")
    meaning = {value: int(split) for value, split in SPLIT_VALUES.items()}
    meaning |= {value.strip().lower(): int(Split.UNUSED) for value in unused}
    splits = plain.replace_strict(meaning, default=None, return_dtype=pl.Int8)
    if splits.null_count():
        row = int(splits.is_null().arg_max() or 0)
        given = shown(values[row])
        hint = "" if values[row] is None else f"; if these rows belong to no split: split_unused={given}"
        raise InputError(
            f"{table.label}: split column '{name}' holds {given} (first in {table.where(row)}); allowed are "
            f"0 or train, 1 or validation (valid, val, dev), 2 or test{hint}"
        )
    return splits


def rating_column(table: Table, name: str) -> pl.Series:
    """Ratings as float32.

    Raises:
        InputError: no such column, or a row that holds no finite number.
    """
    values = table.column(name)
    ratings = numbers_of(values)
    if ratings is None:
        raise InputError(f"{table.label}: column '{name}' holds {values.dtype}; ratings are numbers")
    check_rows(table, name, values, ratings.is_finite().fill_null(False), "a number")
    stored = ratings.cast(pl.Float32)
    check_rows(table, name, values, stored.is_finite(), "a number that float32 holds")
    return stored


def numbers_of(values: pl.Series) -> pl.Series | None:
    """Numbers of any type, or written as text, as float64; ``None`` if the type holds no numbers."""
    if values.dtype == pl.String:
        return values.str.strip_chars().cast(pl.Float64, strict=False)
    return values.cast(pl.Float64) if values.dtype.is_numeric() or values.dtype == pl.Null else None


def check_rows(table: Table, name: str, values: pl.Series, good: pl.Series, wanted: str) -> None:
    """Refuse a column with a row that is not good.

    Raises:
        InputError: one is not; the message names the first, what it holds and what is wanted.
    """
    if not good.all():
        row = int((~good).arg_max() or 0)
        given = shown(values[row])
        raise InputError(f"{table.label}: {table.where(row)} holds {given} in column '{name}'; {wanted} is needed")
