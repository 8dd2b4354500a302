"""Columns of a table as the data set types them: ids, splits, ratings and weights, checked row by row."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from alignrec_geo.dataset.dates import of_known_years, seconds_and_nanos
from alignrec_geo.dataset.ids import id_series
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.dataset.readers.bad_rows import refuse
from alignrec_geo.dataset.readers.rows import Table, shown
from alignrec_geo.errors import InputError
from alignrec_geo.reading import reading

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

COMMA = re.compile(r"[+-]?\d+,\d+")
SKIP = "; skip_empty_ids=True leaves such rows out"


@dataclass(frozen=True)
class Counted:
    """How many rows of a table are of some kind.

    Args:
        count: how many.
        first: what is said of the first.
    """

    count: int = 0
    first: str = ""

    def and_then(self, other: "Counted") -> "Counted":
        """Those of a part and of a later one."""
        return Counted(self.count + other.count, self.first or other.first)


def with_ids(table: Table, *names: str) -> tuple[Table, Counted]:
    """The rows that have an id in each of some columns, and how many have not; see :func:`without_ids_note`."""
    filled = [id_series(table.column(name), f"{table.label}: column '{name}'").is_not_null() for name in names]
    kept = pl.select(pl.all_horizontal(filled)).to_series()
    if kept.all():
        return table, Counted()
    return table.take(kept), Counted(int((~kept).sum()), table.where(int((~kept).arg_max() or 0)))


def without_ids_note(label: str, left_out: Counted, *names: str) -> list[str]:
    """What to say of rows without an id; nothing if there were none."""
    which = " or ".join(f"'{name}'" for name in names)
    said = f"{label}: {left_out.count} rows without an id in column {which} were left out (first: {left_out.first})"
    return [said] if left_out.count else []


def id_column(table: Table, name: str, hint: str = "", as_written: bool = False) -> pl.Series:
    """Ids as text; whole numbers stored or written as floats lose their ``.0``.

    Args:
        table: the rows.
        name: the column.
        hint: ends the error for a row without an id.
        as_written: leave text as it is, for a part of a table.

    Raises:
        InputError: no such column, a row without an id, or a column that cannot hold ids.
    """
    values = table.column(name)
    if name in table.nested:
        raise InputError(f"{table.label}: column '{name}' holds lists or objects; ids are text or whole numbers")
    ids = id_series(values, f"{table.label}: column '{name}'", as_written)
    refuse(table, ids.is_null(), lambda row: f"{table.where(row)} has no id in column '{name}'{hint}")
    refuse(
        table,
        ids.str.contains_any(["\n", "\r"]),
        lambda row: (
            f"{table.where(row)} has an id with a line break in column '{name}'; does a quote open there that "
            "is not closed, or belongs to the text?"
        ),
    )
    return ids


def spaced(table: Table, ids: pl.Series, strip: bool) -> tuple[pl.Series, Counted]:
    """Ids without the spaces around them, if these are to go, and how many have some; see :func:`spaced_note`.

    Args:
        table: the rows.
        ids: as :func:`id_column` gives them.
        strip: take the spaces off; otherwise ids stay as they are written.
    """
    bare = ids.str.strip_chars()
    spaced = bare != ids
    if not spaced.any():
        return ids, Counted()
    row = int(spaced.arg_max() or 0)
    found = Counted(int(spaced.sum()), f"(first: {table.where(row)}, {shown(ids[row])})")
    return (bare if strip else ids), found


def spaced_note(label: str, name: str, found: Counted, ids: pl.Series, strip: bool) -> list[str]:
    """What to say of ids with spaces around them; nothing if there are none.

    Args:
        label: the table.
        name: the column of the ids.
        found: how many have some.
        ids: all of them; those that come again may be left out.
        strip: the spaces were taken off.
    """
    if not found.count:
        return []
    said = f"{label}: {found.count:,} ids in column '{name}' have spaces around them"
    if strip:
        return [f"{said}, which were taken off {found.first}"]
    spaced = ids.str.strip_chars() != ids
    alike = ids.filter(spaced).unique().str.strip_chars().is_in(ids.filter(~spaced).unique().to_list()).sum()
    others = f"; {alike:,} of them are other ids than the same without" if alike else ""
    return [f"{said} and keep them {found.first}{others}; strip_ids=True takes them off"]


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

    def say(row: int) -> str:
        given = shown(values[row])
        hint = "" if values[row] is None else f"; if these rows belong to no split: split_unused={given}"
        return (
            f"{table.where(row)} holds {given} in split column '{name}'; allowed are 0 or train, 1 or validation "
            f"(valid, val, dev), 2 or test{hint}"
        )

    refuse(table, splits.is_null(), say)
    return splits


def rating_column(table: Table, name: str) -> pl.Series:
    """Ratings as float32.

    Raises:
        InputError: no such column, or a row that holds no finite number.
    """
    return _float32(table, name, "ratings")


def weight_column(table: Table, name: str) -> pl.Series:
    """Weights as float32.

    Raises:
        InputError: no such column, or a row that holds no finite number above 0.
    """
    weights = _float32(table, name, "weights")
    check_rows(table, name, table.column(name), weights > 0, "a weight, a number above 0,")
    return weights


def text_column(table: Table, name: str) -> pl.Series:
    """Text of any column: lists joined by commas, blanks as null.

    Raises:
        InputError: it holds what is no text: bytes, dates out of range.
    """
    values, label = table.column(name), f"{table.label}: column '{name}'"
    if values.dtype == pl.Object:
        values = pl.Series(name, [None if value is None or value != value else str(value) for value in values])
    if values.dtype in (pl.Date, pl.Datetime) and not of_known_years(seconds_and_nanos(values.drop_nulls())[0]).all():
        raise InputError(f"{label} holds a date outside of the years 1 to 9999")
    with reading(label, "column of text"):
        if isinstance(values.dtype, pl.List):
            values = values.cast(pl.List(pl.String)).list.join(", ", ignore_nulls=True)
        stripped = values.cast(pl.String).str.strip_chars()
    return pl.select(pl.when(stripped != "").then(stripped)).to_series()


def numbers_of(values: pl.Series, decimal: str | None = None) -> pl.Series | None:
    """Numbers of any type, or written as text, as float64; ``None`` if the type holds no numbers.

    Args:
        values: the column.
        decimal: the decimal mark of numbers in text. With a comma, a text with a point is no number: it may separate
            thousands.

    Example:
        >>> numbers_of(pl.Series(["3,5", "1.250", "x"]), ",").to_list()
        [3.5, None, None]
    """
    if values.dtype == pl.String:
        texts = values.str.strip_chars()
        if decimal == ",":
            swapped = texts.str.replace(",", ".", literal=True)
            texts = pl.select(pl.when(~texts.str.contains(".", literal=True)).then(swapped)).to_series()
        return texts.cast(pl.Float64, strict=False)
    return values.cast(pl.Float64) if values.dtype.is_numeric() or values.dtype == pl.Null else None


def check_rows(table: Table, name: str, values: pl.Series, good: pl.Series, wanted: str) -> None:
    """Refuse a column with a row that is not good.

    Raises:
        InputError: one is not; the message names the first, what it holds and what is wanted.
    """
    refuse(
        table,
        ~good,
        lambda row: (
            f"{table.where(row)} holds {shown(values[row])} in column '{name}'; {wanted} is needed"
            f"{_comma(table, values[row])}"
        ),
    )


def _float32(table: Table, name: str, what: str) -> pl.Series:
    values = table.column(name)
    numbers = numbers_of(values, table.decimal)
    if numbers is None:
        raise InputError(f"{table.label}: column '{name}' holds {values.dtype}; {what} are numbers")
    check_rows(table, name, values, numbers.is_finite().fill_null(False), "a number")
    stored = numbers.cast(pl.Float32)
    check_rows(table, name, values, stored.is_finite(), "a number that float32 holds")
    return stored


def _comma(table: Table, value: object) -> str:
    """What to do about a decimal comma."""
    comma = table.decimal == "." and isinstance(value, str) and COMMA.fullmatch(value.strip())
    return "; if the comma is its decimal mark: decimal=','" if comma else ""
