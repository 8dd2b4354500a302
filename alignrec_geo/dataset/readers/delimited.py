"""Delimited text: CSV with quotes as RFC 4180 has them; with tabs, ``::`` or ``|`` a quote is a character."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alignrec_geo.dataset.readers.bad_rows import OPTION, check_enough_left
from alignrec_geo.dataset.readers.loose import Rows, read_loose
from alignrec_geo.dataset.readers.records import find_records
from alignrec_geo.dataset.readers.rows import SHOWN_ROWS, LeftOut, Table
from alignrec_geo.dataset.readers.text_files import checked_encoding, utf8
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


SAMPLE, LINES = 1 << 16, 20
"""Bytes and lines from which a separator is guessed."""
OTHER_ENCODING = "; name its encoding, of a file of Windows or Excel often encoding='cp1252'"


@dataclass(frozen=True)
class TextLayout:
    """How text is laid out where the file does not tell.

    Args:
        separator: between the fields of delimited text; ``None`` takes it from the suffix, or guesses it where the
            first lines show another.
        columns: names of the columns of a file without a header line; empty for a file with one.
        encoding: of the bytes; a byte order mark of UTF-16 or UTF-32 comes first.
        decimal: the decimal mark of numbers, ``.`` or ``,``.
        skip_bad_rows: leave out rows that cannot be read.
        options: whether the caller can be told to change these; errors then name them.
    """

    separator: str | None = None
    columns: Sequence[str] = ()
    encoding: str = "utf-8"
    decimal: str = "."
    skip_bad_rows: bool = False
    options: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "encoding", checked_encoding(self.encoding))
        if self.decimal not in (".", ","):
            raise InputError(f"a decimal mark is '.' or ',' (got {self.decimal!r:.80})")

    @property
    def mark(self) -> str | None:
        """What a table says of its decimal mark."""
        return self.decimal if self.options else None


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
        check_separator(layout.separator)
    content = utf8(content, label, layout.encoding, OTHER_ENCODING if layout.options else "")
    if not content.strip():
        raise InputError(f"{label}: is empty")
    if b"\n" not in content:
        content = content.replace(b"\r", b"\n")
    mark, notes = chosen_separator(content, label, layout, separator)
    quoted = mark in QUOTED
    content, mark = one_byte(content, mark, label)
    table = replace(without_blank_rows(parse(content, mark, quoted, label, layout)), notes=notes, decimal=layout.mark)
    check_enough_left(table)
    return table


def check_separator(separator: str) -> None:
    """Refuse what cannot separate fields.

    Raises:
        InputError: it cannot.
    """
    if not separator or any(mark in separator for mark in '"\r\n\0'):
        raise InputError(f"a separator is one character, a tab for example (got {separator!r})")


def chosen_separator(content: bytes, label: str, layout: TextLayout, suffix: str | None) -> tuple[str, list[str]]:
    """The separator, and a note if it was guessed; see :class:`TextLayout`."""
    first = content.split(b"\n", 1)[0].decode(errors="replace")
    given = SPELLED.get(layout.separator, layout.separator) if layout.separator else None
    if len(layout.columns) == 1:
        return given or suffix or ",", []
    guess = _guess(content, suffix)
    if given is not None:
        if given not in first and guess in first:
            raise InputError(
                f"{label}: line 1 holds no '{_spelled(given)}', but {first.count(guess)} of '{_spelled(guess)}'; if "
                f"that separates the columns: separator='{_spelled(guess)}'"
            )
        return given, []
    if guess == suffix or guess not in first:
        return suffix or guess, []
    return guess, [f"columns are separated by '{_spelled(guess)}', as the first lines show; separator= overrules that"]


def _guess(content: bytes, suffix: str | None) -> str:
    """What separates the columns: of the marks that every one of the first lines has as often, the likeliest."""
    sample = content[:SAMPLE] if len(content) <= SAMPLE else content[: content.rfind(b"\n", 0, SAMPLE) + 1]
    lines = [line for line in sample.decode(errors="replace").splitlines() if line.strip()] or [""]
    likely = [mark for mark in ([suffix] if suffix else []) + list(GUESSED) if mark in lines[0]]
    return next((mark for mark in likely if _even(lines, mark)), likely[0] if likely else suffix or ",")


def _even(lines: Sequence[str], mark: str) -> bool:
    if mark not in QUOTED:
        return len({line.count(mark) for line in lines[:LINES]}) == 1
    try:
        return len({len(row) for row in islice(csv.reader(lines, delimiter=mark), LINES)}) == 1
    except csv.Error:
        return False


def _spelled(mark: str) -> str:
    return {"\t": "\\t"}.get(mark, mark)


def one_byte(content: bytes, mark: str, label: str) -> tuple[bytes, str]:
    """Replace a separator of several bytes by one that does not occur."""
    if len(mark.encode()) == 1:
        return content, mark
    free = next((stand_in for stand_in in STAND_INS if stand_in.encode() not in content), None)
    if free is None:
        raise InputError(f"{label}: holds too many control characters to be read with the separator '{mark}'")
    return content.replace(mark.encode(), free.encode()), free


def parse(content: bytes, mark: str, quoted: bool, label: str, layout: TextLayout, before: int = 0) -> Table:
    """The rows of a text.

    Args:
        content: UTF-8, not blank, of whole lines.
        mark: separates fields: one ASCII character.
        quoted: whether fields may stand in quotes.
        label: the file, for errors.
        layout: of the file; without names of columns the first record is the header.
        before: lines of the file before this text.
    """
    header = 0 if layout.columns else 1
    records = find_records(content, mark, quoted, label, before)
    if records is None:
        return loose_table(read_loose(content, mark, label, before), label, layout)
    names = list(layout.columns) or _header(records.text[: records.first], mark, quoted, label)
    kept, left_out = _fitting(records.fields, records.lines, len(names), label, layout)
    records = records if kept.all() else records.take(kept)
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
    return Table(frame, label, records.lines[header:], twice, left_out=left_out)


def loose_table(read: Rows, label: str, layout: TextLayout) -> Table:
    """The same from records that were read one by one."""
    rows, lines = read
    header = 0 if layout.columns else 1
    names = list(layout.columns) or rows[0]
    kept, left_out = _fitting(np.array([len(row) for row in rows]), lines, len(names), label, layout)
    unique, twice = _unique(names)
    filled = [[field or None for field in row] for row, fits in zip(rows, kept, strict=True) if fits][header:]
    frame = pl.DataFrame(filled, schema=dict.fromkeys(unique, pl.String), orient="row")
    return Table(frame, label, lines[kept][header:], twice, left_out=left_out)


def without_blank_rows(table: Table) -> Table:
    """The rows that have a field which is not empty."""
    filled = table.frame.select(~pl.all_horizontal(pl.all().is_null())).to_series()
    return table if filled.all() else table.take(filled)


def _header(line: bytes, mark: str, quoted: bool, label: str) -> list[str]:
    text = line.decode().removesuffix("\n")
    if not quoted:
        return text.split(mark)
    found = list(csv.reader(io.StringIO(text, newline=""), delimiter=mark))
    if len(found) != 1:
        raise InputError(f"{label}: line 1 holds a carriage return between its fields")
    return found[0]


def _fitting(
    fields: Int64, lines: Int64, columns: int, label: str, layout: TextLayout
) -> tuple[NDArray[np.bool_], LeftOut]:
    """Which rows have as many fields as there are columns, and the others, if they may be left out."""
    kept = fields == columns
    odd = np.flatnonzero(~kept)

    def say(row: int) -> str:
        count = int(fields[row])
        found = f"{count} field" if count == 1 else f"{count} fields"
        return f"line {lines[row]} has {found}; {columns} column{' is' if columns == 1 else 's are'} named"

    if len(odd) and not layout.skip_bad_rows:
        raise InputError(f"{label}: {say(odd[0])}{OPTION if layout.options else ''}")
    return kept, LeftOut(len(odd), tuple((0, int(lines[row]), say(row)) for row in odd[:SHOWN_ROWS]))


def _unique(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names made different, and those that several columns have."""
    unique: dict[str, None] = {}
    for place, name in enumerate(names, start=1):
        unique[name if name not in unique else f"{name} (column {place})"] = None
    return list(unique), [name for name in dict.fromkeys(names) if list(names).count(name) > 1]
