"""Item metadata: id, title and a text put together from one or more fields."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from alignrec_geo.dataset.dates import of_known_years, seconds_and_nanos
from alignrec_geo.dataset.readers.columns import SKIP, id_column, with_ids
from alignrec_geo.dataset.readers.table_files import Table, TextLayout, read_table_file
from alignrec_geo.errors import InputError
from alignrec_geo.reading import reading


def read_items(
    path: Path,
    item_id: str,
    title: str | None = None,
    text: Sequence[str] = (),
    layout: TextLayout | None = None,
    skip_empty_ids: bool = False,
) -> tuple[pl.DataFrame, list[str]]:
    """Read item metadata from a file.

    Args:
        path: a table (:func:`~alignrec_geo.dataset.readers.table_files.read_table_file`).
        item_id: the column of the external id.
        title: the column of the title.
        text: columns of the text, joined as sentences; dotted paths (``omdb.Plot``) reach into nested fields,
            lists are joined by commas.
        layout: separator and column names of delimited text.
        skip_empty_ids: leave rows without an id out.

    Returns:
        Columns ``id``, ``title``, ``text`` (null where an item has none), in the order of the file, and
        notes.

    Raises:
        InputError: the file cannot be read, a column is not there, or a row has no id.
    """
    wanted = [item_id, *([title] if title else []), *text]
    return item_table(read_table_file(path, wanted, layout), item_id, title, text, skip_empty_ids)


def item_table(
    table: Table, item_id: str, title: str | None = None, text: Sequence[str] = (), skip_empty_ids: bool = False
) -> tuple[pl.DataFrame, list[str]]:
    """The same from a table in memory."""
    table, notes = with_ids(table, item_id) if skip_empty_ids else (table, [])
    frame = pl.DataFrame(
        {
            "id": id_column(table, item_id, SKIP),
            "title": _plain(table, title) if title else pl.Series([None] * table.frame.height, dtype=pl.String),
            "text": join_sentences([_plain(table, name) for name in text], table.frame.height),
        }
    )
    unique = frame.unique("id", keep="first", maintain_order=True)
    twice = frame.height - unique.height
    if twice:
        notes.append(f"{table.label}: {twice} rows repeat an item id; the first row of each is kept")
    return unique, notes


def join_sentences(parts: Sequence[pl.Series], height: int) -> pl.Series:
    """Join text columns row by row, each part a sentence; null where all parts are missing.

    Example:
        >>> import polars as pl
        >>> join_sentences([pl.Series(["A toy."]), pl.Series(["Comedy"])], 1).to_list()
        ['A toy. Comedy']
    """
    joined = pl.Series("text", [None] * height, dtype=pl.String)
    for part in parts:
        link = pl.select(pl.when(joined.str.contains(r"[.!?…]$")).then(pl.lit(" ")).otherwise(pl.lit(". "))).to_series()
        both = pl.select(pl.concat_str([joined, link, part])).to_series()
        joined = pl.select(pl.coalesce(both, joined, part).alias("text")).to_series()
    return joined


def _plain(table: Table, name: str) -> pl.Series:
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
