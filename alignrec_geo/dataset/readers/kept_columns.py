"""Columns of a table of items that a data set keeps as they are, for conditions on what is recommended."""

from collections.abc import Sequence

import polars as pl

from alignrec_geo.dataset.build import ITEM_COLUMNS
from alignrec_geo.dataset.readers.columns import numbers_of, text_column
from alignrec_geo.dataset.readers.rows import Table
from alignrec_geo.errors import InputError

LEADING_ZERO = r"^\s*-?0[0-9]"
"""A number that is a name: a postcode, an article number."""


def check_kept(names: Sequence[str]) -> None:
    """Check that columns do not have the names of those that every data set has.

    Raises:
        InputError: one has.
    """
    taken = next((name for name in names if name in ITEM_COLUMNS), None)
    if taken is not None:
        raise InputError(
            f"item_columns: every data set has a column '{taken}' already ({', '.join(ITEM_COLUMNS)}); rename yours"
        )


def kept_columns(table: Table, names: Sequence[str]) -> dict[str, pl.Series]:
    """Columns by name. Numbers, truth values and times keep their types; all else becomes text.

    Text that is a number in every row becomes numbers, unless one has a leading zero.

    Args:
        table: the rows.
        names: which columns.

    Raises:
        InputError: one is not there, or has the name of a column that every data set has.

    Example:
        >>> table = Table(pl.DataFrame({"price": ["9.5", None, "12"], "zip": ["01", "12", "1"]}), "items.csv")
        >>> found = kept_columns(table, ["price", "zip"])
        >>> found["price"].to_list(), found["zip"].to_list()
        ([9.5, None, 12.0], ['01', '12', '1'])
    """
    check_kept(names)
    found = {}
    for name in names:
        kind = table.column(name).dtype
        plain = kind.is_numeric() or kind in (pl.Boolean, pl.Date, pl.Datetime, pl.Time)
        found[name] = table.frame[name] if plain else _typed(text_column(table, name), table.decimal)
    return found


def _typed(texts: pl.Series, decimal: str | None) -> pl.Series:
    numbers = numbers_of(texts, decimal)
    all_are = numbers is not None and len(texts) > texts.null_count() == numbers.null_count()
    if (
        numbers is None
        or not all_are
        or texts.str.contains(LEADING_ZERO).any()
        or not numbers.drop_nulls().is_finite().all()
    ):
        return texts
    return numbers
