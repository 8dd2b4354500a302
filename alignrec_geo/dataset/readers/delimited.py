"""Delimited text: CSV with quotes as RFC 4180 has them; with tabs, ``::`` or ``|`` a quote is a character."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from alignrec_geo.dataset.readers.records import find_records, read_loose
from alignrec_geo.dataset.readers.rows import Table
from alignrec_geo.dataset.readers.text_files import utf8
from alignrec_geo.errors import InputError
from alignrec_geo.reading import reading
from alignrec_geo.typing import Int64

QUOTED = (",", ";")
"""Separators with which fields may stand in quotes."""
GUESSED = ("\t", "::", "|", ";", ",")
SPELLED = {"\\t": "\t"}
"""How a separator may be spelled where it cannot be typed."""
STAND_INS = "\t\x1f\x1e\x1d\x1c\x01\x02\x03\x04\x05\x06"
"""One of these stands for a separator of several bytes, as the parser takes one byte."""


@dataclass(frozen=True)
class TextLayout:
    """How a delimited text file is laid out where its suffix does not tell.

    Args:
        separator: between the fields; ``None`` takes it from the suffix or guesses it from the first line.
        columns: names of the columns of a file without a header line; empty for a file with one.
        encoding: of the bytes.
        option: what names the separator, for errors. Without one, a file whose first line has another separator than
            its suffix says is read with that.
    """

    separator: str | None = None
    columns: Sequence[str] = ()
    encoding: str = "utf-8"
    option: str = ""


def read_delimited(content: bytes, label: str, layout: TextLayout, separator: str | None = None) -> Table:
    """Read delimited text from memory, every column as text, empty fields as null, blank lines left out.

    Args:
        content: the bytes.
        label: the file, for errors.
        layout: how it is laid out.
        separator: what the suffix says.

    Raises:
        InputError: nothing in it, bytes that are not text, a quote that is not closed, or a row with another number
            of fields than the header; the message names the line.
    """
    if layout.separator is not None:
        _check_separator(layout.separator)
    content = utf8(content, label, layout.encoding)
    if not content.strip():
        raise InputError(f"{label}: is empty")
    if b"\n" not in content:
        content = content.replace(b"\r", b"\n")
    mark = _separator(content, label, layout, separator)
    quoted = mark in QUOTED
    content, mark = _one_byte(content, mark, label)
    frame, twice, lines = _parse(content, mark, quoted, label, layout.columns)
    filled = frame.select(~pl.all_horizontal(pl.all().is_null())).to_series()
    return Table(frame.filter(filled), label, lines[filled.to_numpy()], twice)


def _check_separator(separator: str) -> None:
    if not separator or any(mark in separator for mark in '"\r\n\0'):
        raise InputError(f"a separator is one character, a tab for example (got {separator!r})")


def _separator(content: bytes, label: str, layout: TextLayout, suffix: str | None) -> str:
    """The separator, once it is plain that the first line has it; see :class:`TextLayout`."""
    first = content.split(b"\n", 1)[0].decode(errors="replace")
    guess = next((mark for mark in GUESSED if mark in first), ",")
    mark = SPELLED.get(layout.separator, layout.separator) if layout.separator else suffix or guess
    if mark in first or guess not in first or len(layout.columns) == 1:
        return mark
    if not layout.option:
        return guess if layout.separator is None else mark
    spelled = {"\t": "\\t"}
    has, wanted = spelled.get(guess, guess), spelled.get(mark, mark)
    raise InputError(
        f"{label}: line 1 holds no '{wanted}', but {first.count(guess)} of '{has}'; if that separates the columns: "
        f"{layout.option}'{has}'"
    )


def _one_byte(content: bytes, mark: str, label: str) -> tuple[bytes, str]:
    """Replace a separator of several bytes by one that does not occur."""
    if len(mark.encode()) == 1:
        return content, mark
    free = next((stand_in for stand_in in STAND_INS if stand_in.encode() not in content), None)
    if free is None:
        raise InputError(f"{label}: holds too many control characters to be read with the separator '{mark}'")
    return content.replace(mark.encode(), free.encode()), free


def _parse(
    content: bytes, mark: str, quoted: bool, label: str, columns: Sequence[str]
) -> tuple[pl.DataFrame, list[str], Int64]:
    """The rows, the names that several columns have, and the line of every row."""
    header = 0 if columns else 1
    records = find_records(content, mark, quoted, label)
    if records is None:
        rows, lines = read_loose(content, mark, label)
        names = list(columns) or rows[0]
        _check_fields(np.array([len(row) for row in rows]), lines, len(names), label)
        unique, twice = _unique(names)
        filled = [[field or None for field in row] for row in rows[header:]]
        return pl.DataFrame(filled, schema=dict.fromkeys(unique, pl.String), orient="row"), twice, lines[header:]
    names = list(columns) or _header(records.text[: records.first], mark, quoted, label)
    _check_fields(records.fields, records.lines, len(names), label)
    unique, twice = _unique(names)
    schema = dict.fromkeys(unique, pl.String)
    text = records.text[records.first :] if header else records.text
    frame = pl.DataFrame(schema=schema)
    if text:
        with reading(label, "text table"):
            frame = pl.read_csv(
                text, separator=mark, quote_char='"' if quoted else None, has_header=False, schema=schema
            )
    if frame.height != len(records.lines) - header:
        raise InputError(f"{label}: {frame.height} rows were read of {len(records.lines) - header} in the file")
    return frame, twice, records.lines[header:]


def _header(line: bytes, mark: str, quoted: bool, label: str) -> list[str]:
    text = line.decode().removesuffix("\n")
    if not quoted:
        return text.split(mark)
    found = list(csv.reader(io.StringIO(text, newline=""), delimiter=mark))
    if len(found) != 1:
        raise InputError(f"{label}: line 1 holds a carriage return between its fields")
    return found[0]


def _check_fields(fields: Int64, lines: Int64, columns: int, label: str) -> None:
    odd = np.flatnonzero(fields != columns)
    if len(odd):
        count = int(fields[odd[0]])
        found = f"{count} field" if count == 1 else f"{count} fields"
        named = f"{columns} column is named" if columns == 1 else f"{columns} columns are named"
        raise InputError(f"{label}: line {lines[odd[0]]} has {found}; {named}")


def _unique(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names made different, and those that several columns have."""
    unique: dict[str, None] = {}
    for place, name in enumerate(names, start=1):
        unique[name if name not in unique else f"{name} (column {place})"] = None
    return list(unique), [name for name in dict.fromkeys(names) if list(names).count(name) > 1]
