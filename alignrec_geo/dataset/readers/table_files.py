"""Any table from one file: CSV, TSV, Parquet or JSON lines, with errors that name the file and the row."""

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from alignrec_geo.dataset.readers.delimited import TextLayout, read_delimited
from alignrec_geo.dataset.readers.json_lines import json_table
from alignrec_geo.dataset.readers.rows import Table
from alignrec_geo.dataset.readers.text_files import open_bytes, utf8
from alignrec_geo.errors import InputError
from alignrec_geo.parquet import parquet_columns, read_parquet

__all__ = ["Table", "TextLayout", "open_bytes", "read_delimited", "read_table_file"]

SEPARATORS = {".csv": ",", ".tsv": "\t", ".inter": "\t"}
JSON_LINES = (".jsonl", ".ndjson", ".json")
PARQUET = (".parquet", ".pq")
OTHER_TEXT = (".txt", ".data", ".dat", ".tab", "")


def read_table_file(path: Path, columns: Sequence[str] | None = None, layout: TextLayout | None = None) -> Table:
    """Read a table; its format follows from the suffix (``.gz`` after it is allowed for the text formats).

    Columns of delimited text are text; Parquet and JSON lines keep their types.

    Args:
        path: ``.csv``, ``.tsv``, ``.inter``, ``.parquet``, ``.jsonl`` or ``.ndjson``; other text (``.txt``,
            ``.dat``, ``.data``…) is read as delimited by what the first lines show.
        columns: the columns wanted; in Parquet and JSON lines a dotted path (``omdb.Plot``) reaches into
            nested fields. ``None`` takes all.
        layout: separator and column names of delimited text, and more.

    Raises:
        InputError: the file is missing, truncated, empty, or of unknown format, a row does not fit, or a
            wanted column is not there.
    """
    suffix, wanted = table_format(path), layout or TextLayout()
    if suffix in PARQUET:
        table = replace(_read_parquet(path, columns), decimal=wanted.mark)
    elif suffix in JSON_LINES:
        with open_bytes(path) as stream:
            plain = wanted.encoding == "utf-8"
            lines = stream if plain else io.BytesIO(utf8(stream.read(), str(path), wanted.encoding))
            table = json_table(lines, str(path), columns, wanted)
    else:
        with open_bytes(path) as stream:
            content = stream.read()
        table = read_delimited(content, str(path), wanted, SEPARATORS.get(suffix))
    if columns is None:
        return table
    return only(table, columns, suffix not in (*PARQUET, *JSON_LINES))


def only(table: Table, columns: Sequence[str], text: bool) -> Table:
    """The columns that are wanted.

    Raises:
        InputError: one is not there.
    """
    hint = "; a file without a header line needs columns=" if text else ""
    kept = [table.column(name, hint).alias(name) for name in dict.fromkeys(columns)]
    return replace(table, frame=pl.DataFrame(kept))


def table_format(path: Path) -> str:
    """The suffix that says how a table is stored, in lower case and without ``.gz``.

    Raises:
        InputError: tables are not stored in files of that suffix.

    Example:
        >>> table_format(Path("Clicks.CSV.gz"))
        '.csv'
    """
    name = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    suffix = name.suffix.lower()
    if suffix not in (*SEPARATORS, *JSON_LINES, *PARQUET, *OTHER_TEXT):
        known = ", ".join((*SEPARATORS, *JSON_LINES, *PARQUET))
        raise InputError(f"{path}: unknown table format '{suffix}'; allowed are {known} (text also with .gz)")
    return suffix


def _read_parquet(path: Path, columns: Sequence[str] | None) -> Table:
    if columns is None:
        return Table(read_parquet(path), str(path))
    names = parquet_columns(path)
    frame = read_parquet(path, [name if name in names else name.split(".")[0] for name in columns])
    reached = {name: field for name in columns if (field := struct_field(name, frame.schema)) is not None}
    if len(reached) < len(set(columns)):
        return Table(
            pl.DataFrame(schema=dict.fromkeys(names, pl.String)), str(path)
        )  # the caller names the missing one
    return Table(frame.select(field.alias(name) for name, field in reached.items()), str(path))


def struct_field(name: str, schema: pl.Schema) -> pl.Expr | None:
    """The column of a name, or the field that a dotted path reaches; ``None`` where there is neither."""
    if name in schema:
        return pl.col(name)
    root, *rest = name.split(".")
    kind: object = schema.get(root)
    field = pl.col(root)
    for part in rest:
        inner = {f.name: f.dtype for f in kind.fields} if isinstance(kind, pl.Struct) else {}
        if part not in inner:
            return None
        kind, field = inner[part], field.struct.field(part)
    return field if rest else None
