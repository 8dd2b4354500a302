"""Item metadata: id, title, a text put together from one or more fields, and the name of an image file."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from alignrec_geo.dataset.readers.bad_rows import OPTION, left_out_notes, usable
from alignrec_geo.dataset.readers.columns import (
    SKIP,
    id_column,
    spaced,
    spaced_note,
    text_column,
    with_ids,
    without_ids_note,
)
from alignrec_geo.dataset.readers.delimited import TextLayout
from alignrec_geo.dataset.readers.html_text import column_without_html
from alignrec_geo.dataset.readers.kept_columns import kept_columns
from alignrec_geo.dataset.readers.rows import Table
from alignrec_geo.dataset.readers.table_sets import Source, read_table_set


@dataclass(frozen=True)
class ItemColumns:
    """Names of the columns of a table of items, and what to do with what they hold.

    Args:
        item_id: the external id.
        title: the title.
        text: columns of the text, joined as sentences; in Parquet and JSON lines dotted paths (``omdb.Plot``) reach
            into nested fields; lists are joined by commas.
        image: the name of the image file.
        keep_html: leave titles and texts as they are, with HTML in them.
        skip_empty_ids: leave out rows without an id.
        skip_bad_rows: leave out every row that cannot be used; ``None`` if nobody can be told to.
        strip_ids: take off the spaces around ids.
        item_columns: further columns to keep under their names.
    """

    item_id: str
    title: str | None = None
    text: Sequence[str] = ()
    image: str | None = None
    keep_html: bool = False
    skip_empty_ids: bool = False
    skip_bad_rows: bool | None = None
    strip_ids: bool = False
    item_columns: Sequence[str] = ()

    def names(self) -> list[str]:
        """The columns that are read."""
        return [name for name in (self.item_id, self.title, *self.text, self.image, *self.item_columns) if name]


def read_items(source: Source, columns: ItemColumns, layout: TextLayout | None = None) -> tuple[Table, list[str]]:
    """Read item metadata.

    Args:
        source: a table (:func:`~alignrec_geo.dataset.readers.table_sets.read_table_set`).
        columns: what to read of it.
        layout: of text.

    Returns:
        Columns ``id``, ``title``, ``text``, ``image`` (null where an item has none) and those that are kept, in the
        order of the file, and notes.

    Raises:
        InputError: the file cannot be read, a column is not there, or a row has no id.
    """
    return item_table(read_table_set(source, columns.names(), layout), columns)


def item_table(table: Table, columns: ItemColumns) -> tuple[Table, list[str]]:
    """The same from a table in memory."""
    notes = [f"{table.label}: {note}" for note in table.notes]
    if columns.skip_empty_ids:
        table, empty = with_ids(table, columns.item_id)
        notes += without_ids_note(table.label, empty, columns.item_id)
    skip = columns.skip_bad_rows
    hints = (SKIP, OPTION) if skip is False else ("", "")
    ids, table = usable(table, lambda rows: id_column(rows, columns.item_id, hints[0]), bool(skip), hints[1])
    written = ids
    ids, found = spaced(table, ids, columns.strip_ids)
    notes += left_out_notes(table) + spaced_note(table.label, columns.item_id, found, written, columns.strip_ids)
    texts = {name: text_column(table, name) for name in ([columns.title] if columns.title else []) + list(columns.text)}
    if not columns.keep_html:
        texts, said = _without_html(table, texts)
        notes += said
    nothing = pl.Series([None] * table.frame.height, dtype=pl.String)
    frame = pl.DataFrame(
        {
            "id": ids,
            "title": texts[columns.title] if columns.title else nothing,
            "text": join_sentences([texts[name] for name in columns.text], table.frame.height),
            "image": text_column(table, columns.image) if columns.image else nothing,
            **kept_columns(table, columns.item_columns),
        }
    )
    first = frame["id"].is_first_distinct()
    if not first.all():
        notes.append(f"{table.label}: {int((~first).sum())} rows repeat an item id; the first row of each is kept")
    return replace(table, frame=frame, nested=(), twice=()).take(first), notes


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


def _without_html(table: Table, texts: dict[str, pl.Series]) -> tuple[dict[str, pl.Series], list[str]]:
    plain, changed = {}, {}
    for name, column in texts.items():
        plain[name], count = column_without_html(column)
        if count:
            changed[name] = count
    counted = ", ".join(f"'{name}' ({count:,} rows)" for name, count in changed.items())
    note = f"{table.label}: HTML was taken out of column {counted}; keep_html=True leaves it"
    return plain, [note] if changed else []
