"""Delimited text of any size, some megabytes at a time; rows, errors and notes are those of the whole file."""

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import IO

from alignrec_geo.dataset.readers.delimited import (
    OTHER_ENCODING,
    QUOTED,
    TextLayout,
    check_separator,
    chosen_separator,
    loose_table,
    one_byte,
    parse,
    without_blank_rows,
)
from alignrec_geo.dataset.readers.loose import loose_batches
from alignrec_geo.dataset.readers.records import quotes_anywhere
from alignrec_geo.dataset.readers.rows import Table
from alignrec_geo.dataset.readers.text_files import WIDE_MARKS, utf8
from alignrec_geo.errors import InputError

CHUNK = 24 << 20
"""Bytes of text that are read at once."""


def delimited_chunks(
    stream: IO[bytes], label: str, layout: TextLayout, separator: str | None = None, size: int = CHUNK
) -> Iterator[Table]:
    """Read delimited text as :func:`~.delimited.read_delimited` does, in chunks of about ``size`` bytes.

    Lines that two stray quotes have swallowed are looked for within a chunk. How many rows may be left out is for the
    caller to decide, who has seen all of them.

    Args:
        stream: the bytes.
        label: the file, for errors.
        layout: how it is laid out.
        separator: what the suffix says.
        size: of a chunk.

    Raises:
        InputError: as :func:`~.delimited.read_delimited`; the message names the line of the file.

    Example:
        >>> from io import BytesIO
        >>> text = BytesIO(b"user,item\\nann,mug\\nbob,pen\\n")
        >>> [chunk.lines.tolist() for chunk in delimited_chunks(text, "t.csv", TextLayout(), ",", size=20)]
        [[2], [3]]
    """
    if layout.separator is not None:
        check_separator(layout.separator)
    hint = OTHER_ENCODING if layout.options else ""
    before, mark, first = 0, "", None
    blocks = _whole_lines(stream, label, layout.encoding, size)
    kept = b""
    for block in chain(blocks, [None]):
        content = kept + (block or b"")
        kept = b""
        if not content.strip():
            before += content.count(b"\n")
            continue
        content = utf8(content, label, "utf-8", hint, before)
        notes: Sequence[str] = ()
        if first is None:
            mark, notes = chosen_separator(content, label, layout, separator)
        quoted = mark in QUOTED
        rows = layout if first is None else replace(layout, columns=first.frame.columns)
        if quoted and block is not None and not (whole := _closed(content)):
            if len(content) < 4 * size:
                kept = content
                continue
            whole = len(content)  # a stray quote, or a field without end: read row by row below
        elif quoted and block is not None:
            content, kept = content[:whole], content[whole:]
        if quoted and quotes_anywhere(content, mark):
            rest = chain([content, kept], (utf8(more, label, "utf-8", hint) for more in blocks))
            yield from _loose(rest, mark, label, rows, notes, first, before, size)
            return
        parsed = parse(*one_byte(content, mark, label), quoted, label, rows, before)
        table = replace(without_blank_rows(parsed), notes=notes, decimal=layout.mark)
        first = first or table
        yield table if table is first else replace(table, twice=first.twice)
        before += content.count(b"\n")
    if first is None:
        raise InputError(f"{label}: is empty")


def _loose(
    blocks: Iterator[bytes],
    mark: str,
    label: str,
    layout: TextLayout,
    notes: Sequence[str],
    first: Table | None,
    before: int,
    size: int,
) -> Iterator[Table]:
    for rows in loose_batches(blocks, mark, label, before, size):
        table = replace(
            without_blank_rows(loose_table(rows, label, layout)),
            notes=notes if first is None else (),
            decimal=layout.mark,
        )
        first = first or table
        layout = replace(layout, columns=first.frame.columns)
        yield table if table is first else replace(table, twice=first.twice)


def _closed(content: bytes) -> int:
    """Bytes up to the end of the last line at which every quote is closed; 0 if there is no such line."""
    open_, end = content.count(b'"') % 2, len(content)
    while open_ and end > 0:
        begin = content.rfind(b"\n", 0, end - 1) + 1
        open_ = (open_ + content.count(b'"', begin, end)) % 2
        end = begin
    return end


def _whole_lines(stream: IO[bytes], label: str, encoding: str, size: int) -> Iterator[bytes]:
    """Blocks of whole lines, UTF-8 if they are text of that encoding at all."""
    head = stream.read(4)
    marked = next((name for mark, name in WIDE_MARKS if head.startswith(mark)), encoding)
    source = _read(stream, head, size) if marked == "utf-8" else _decoded(stream, head, label, marked, size)
    kept, returns = b"", False
    for number, block in enumerate(source):
        if number == 0:
            returns = b"\n" not in block and b"\r" in block
        if returns:
            block = block.replace(b"\r", b"\n")
        end = block.rfind(b"\n") + 1
        if end:
            yield kept + block[:end]
            kept = b""
        kept += block[end:]
    if kept:
        yield kept


def _read(stream: IO[bytes], head: bytes, size: int) -> Iterator[bytes]:
    block = head + stream.read(size)
    while block:
        yield block
        block = stream.read(size)


def _decoded(stream: IO[bytes], head: bytes, label: str, encoding: str, size: int) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for block in _read(stream, head, size):
            yield decoder.decode(block).encode()
        yield decoder.decode(b"", final=True).encode()
    except UnicodeError as error:
        raise InputError(f"{label}: is not {encoding.upper()} text ({error})") from None
