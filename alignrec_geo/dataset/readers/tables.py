"""Any table from a file: CSV, TSV, Parquet or JSON lines, with errors that name the file and the row."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import polars as pl

from alignrec_geo.dataset.interactions import Int64
from alignrec_geo.dataset.readers.json_lines import json_columns
from alignrec_geo.errors import InputError
from alignrec_geo.parquet import parquet_columns, read_parquet

SEPARATORS = {".csv": ",", ".tsv": "\t", ".inter": "\t"}
JSON_LINES = (".jsonl", ".ndjson", ".json")
PARQUET = (".parquet", ".pq")
OTHER_TEXT = (".txt", ".data", ".dat", ".tab", "")


@dataclass(frozen=True)
class Table:
    """A frame and where its rows come from, so that an error can name them.

    Args:
        frame: the rows.
        label: the file (or what else the rows come from).
        lines: line number in the file of every row, ``None`` where lines have no meaning.
    """

    frame: pl.DataFrame
    label: str
    lines: Int64 | None = None

    def where(self, row: int) -> str:
        """Name a row for a person: ``line 17`` of a text file, else ``row 16`` counted from 1."""
        return f"row {row + 1}" if self.lines is None else f"line {self.lines[row]}"

    def column(self, name: str, hint: str = "") -> pl.Series:
        """Return a column.

        Raises:
            InputError: there is none of that name; the message lists those there are and ends with ``hint``.
        """
        if name not in self.frame.columns:
            known = ", ".join(f"'{known}'" for known in self.frame.columns[:40])
            raise InputError(f"{self.label}: no column '{name}'; there are: {known}{hint}")
        return self.frame[name]


@dataclass(frozen=True)
class TextLayout:
    """How a delimited text file is laid out where its suffix does not tell.

    Args:
        separator: between the fields; ``None`` takes it from the suffix or guesses it from the first line.
        columns: names of the columns of a file without a header line; empty for a file with one.
        encoding: of the bytes.
    """

    separator: str | None = None
    columns: Sequence[str] = ()
    encoding: str = "utf-8"


@contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading bytes, unpacked on the way if its name ends in ``.gz``.

    Raises:
        InputError: no such file, a folder, not readable, or (while reading) a truncated gzip file.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if path.is_dir():
        raise InputError(f"{path}: is a folder; a file is needed")
    try:
        opener: Any = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rb") as stream:
            yield stream
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: not a readable gzip file, or truncated ({error})") from None
    except PermissionError:
        raise InputError(f"{path}: no permission to read it") from None


def read_table_file(path: Path, columns: Sequence[str] | None = None, layout: TextLayout | None = None) -> Table:
    """Read a table; its format follows from the suffix (``.gz`` after it is allowed for the text formats).

    Columns of delimited text are text; Parquet and JSON lines keep their types.

    Args:
        path: ``.csv``, ``.tsv``, ``.inter``, ``.parquet``, ``.jsonl`` or ``.ndjson``; other text (``.txt``,
            ``.dat``, ``.data``…) is read as delimited by what the first line shows.
        columns: the columns wanted; in Parquet and JSON lines a dotted path (``omdb.Plot``) reaches into
            nested fields. ``None`` takes all.
        layout: separator and column names of delimited text.

    Raises:
        InputError: the file is missing, truncated, empty, or of unknown format, a row does not fit, or a
            wanted column is not there.
    """
    suffix = _format(path)
    if suffix in PARQUET:
        table = _read_parquet(path, columns)
    elif suffix in JSON_LINES:
        with open_bytes(path) as stream:
            frame, lines = json_columns(stream, str(path), columns)
        table = Table(frame, str(path), lines)
    elif suffix in SEPARATORS or suffix in OTHER_TEXT:
        with open_bytes(path) as stream:
            content = stream.read()
        table = read_delimited(content, str(path), layout or TextLayout(), SEPARATORS.get(suffix))
    else:
        known = ", ".join((*SEPARATORS, *JSON_LINES, *PARQUET))
        raise InputError(f"{path}: unknown table format '{suffix}'; allowed are {known} (text also with .gz)")
    if columns is None:
        return table
    hint = "" if suffix in (*PARQUET, *JSON_LINES) else "; a file without a header line needs --columns"
    wanted = [table.column(name, hint).alias(name) for name in dict.fromkeys(columns)]
    return Table(pl.DataFrame(wanted), table.label, table.lines)


def read_delimited(content: bytes, label: str, layout: TextLayout, separator: str | None = None) -> Table:
    """Read delimited text from memory, every column as text, empty fields as null, blank lines left out.

    Raises:
        InputError: nothing in it, bytes that are not text, or a row with another number of fields than the
            header.
    """
    if not content.strip():
        raise InputError(f"{label}: is empty")
    if layout.encoding != "utf-8":
        content = content.decode(layout.encoding).encode()
    mark = layout.separator or separator or _guess_separator(content)
    if len(mark) > 1:  # polars takes one byte; '::' of MovieLens stands where no tab occurs
        content, mark = content.replace(b"\t", b" ").replace(mark.encode(), b"\t"), "\t"
    names = list(layout.columns)
    try:
        frame = pl.read_csv(
            content, separator=mark, infer_schema=False, has_header=not names, new_columns=names or None
        )
    except pl.exceptions.PolarsError as error:
        raise InputError(f"{label}: {_bad_line(content, mark, names) or str(error).splitlines()[0]}") from None
    header = 0 if names else 1
    height = content.count(b"\n") + (not content.endswith(b"\n")) - header
    lines = np.arange(frame.height) + header + 1 if height == frame.height else None
    filled = frame.select(~pl.all_horizontal(pl.all().is_null())).to_series()
    return Table(frame.filter(filled), label, None if lines is None else lines[filled.to_numpy()])


def _format(path: Path) -> str:
    name = path.with_suffix("") if path.suffix == ".gz" else path
    return name.suffix.lower()


def _guess_separator(content: bytes) -> str:
    first = content.split(b"\n", 1)[0].decode(errors="replace")
    return next((mark for mark in ("\t", "::", "|", ";") if mark in first), ",")


def _bad_line(content: bytes, separator: str, names: Sequence[str]) -> str | None:
    """Name the first line that is not text or has more fields than the header."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        return f"line {content[: error.start].count(10) + 1} is not UTF-8 text"
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    header = list(names) or next(rows)
    for row in rows:
        if len(row) > len(header) or (names and len(row) != len(header)):
            return f"line {rows.line_num} has {len(row)} fields; {len(header)} columns are named"
    return None


def _read_parquet(path: Path, columns: Sequence[str] | None) -> Table:
    if columns is None:
        return Table(read_parquet(path), str(path))
    names = parquet_columns(path)
    frame = read_parquet(path, [name if name in names else name.split(".")[0] for name in columns])
    reached = {name: field for name in columns if (field := _struct_field(name, frame.schema)) is not None}
    if len(reached) < len(set(columns)):
        return Table(
            pl.DataFrame(schema=dict.fromkeys(names, pl.String)), str(path)
        )  # the caller names the missing one
    return Table(frame.select(field.alias(name) for name, field in reached.items()), str(path))


def _struct_field(name: str, schema: pl.Schema) -> pl.Expr | None:
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
