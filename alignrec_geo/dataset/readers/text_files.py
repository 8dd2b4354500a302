"""Text files as bytes of UTF-8: unpacked within limits, without byte order marks, free of zeros."""

import codecs
import gzip
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from alignrec_geo.errors import InputError
from alignrec_geo.limits import limit, over_limit
from alignrec_geo.reading import check_plain_file, reading

GZIP_MAGIC = b"\x1f\x8b\x08"
WIDE_MARKS = ((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
BLOCK = 1 << 20
UNASKED = 64 << 20
"""Bytes that any file may unpack to."""


@contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading bytes, unpacked on the way if it is a gzip file or its name ends in ``.gz``.

    Raises:
        InputError: no such file, a folder, a pipe or device, not readable, or (while reading) a truncated gzip file
            or one that unpacks to more than the limits ``unpacked_bytes`` and ``unpacked_ratio``.
    """
    check_plain_file(path)
    with reading(path, "file"), path.open("rb") as peeked:
        packed = path.suffix.lower() == ".gz" or peeked.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    with reading(path, "gzip file" if packed else "text file"), path.open("rb") as raw:
        unpacked = io.BufferedReader(_Unpacked(path, raw), BLOCK) if packed else raw
        yield cast(IO[bytes], unpacked)


def read_text_bytes(path: Path, encoding: str = "utf-8") -> bytes:
    """Read a whole text file as UTF-8; see :func:`utf8`."""
    with open_bytes(path) as stream:
        return utf8(stream.read(), str(path), encoding)


def checked_encoding(name: str) -> str:
    """Return the name of an encoding of text as Python has it.

    Raises:
        InputError: there is no such encoding.

    Example:
        >>> checked_encoding("UTF8"), checked_encoding("windows-1252")
        ('utf-8', 'cp1252')
    """
    try:
        "".encode(name)
        return codecs.lookup(name).name
    except (LookupError, ValueError):
        known = "utf-8, utf-16, latin-1, cp1252, cp1251, gb18030, shift_jis"
        raise InputError(f"unknown encoding of text (got {name!r:.80}); there are for example {known}") from None


def utf8(content: bytes, label: str, encoding: str = "utf-8", hint: str = "", before: int = 0) -> bytes:
    """The same text as UTF-8 without byte order marks: one of UTF-16 or UTF-32 says how the text is encoded.

    Args:
        content: the bytes.
        label: the file, for errors.
        encoding: see :func:`checked_encoding`.
        hint: ends the error for bytes that are no UTF-8.
        before: lines of the file before these bytes.

    Raises:
        InputError: bytes that are no text of that encoding, or a zero among them; the message names the line.
    """
    marked = next((name for mark, name in WIDE_MARKS if content.startswith(mark)), encoding)
    if marked != "utf-8":
        try:
            content = content.decode(marked).encode()
        except UnicodeError as error:
            raise InputError(f"{label}: is not {marked.upper()} text ({error})") from None
    elif not content.isascii():
        try:
            content.decode()
        except UnicodeDecodeError as error:
            raise InputError(
                f"{label}: line {before + line_at(content, error.start)} is not UTF-8 text{hint}"
            ) from None
    zero = content.find(b"\0")
    if zero >= 0:
        raise InputError(f"{label}: line {before + line_at(content, zero)} holds a zero byte; this is no text file")
    if codecs.BOM_UTF8 in content:  # files that were joined have one in the middle
        content = content.removeprefix(codecs.BOM_UTF8).replace(b"\n" + codecs.BOM_UTF8, b"\n")
    return content


def line_at(content: bytes, place: int) -> int:
    """Number of the line, from 1, that holds a byte.

    Example:
        >>> line_at(b"a\\nb\\n", 2)
        2
    """
    return content.count(b"\n", 0, place) + 1


class _Unpacked(io.RawIOBase):
    """The bytes of a gzip file, counted against the limits."""

    def __init__(self, path: Path, raw: IO[bytes]) -> None:
        self._stream = gzip.GzipFile(fileobj=raw)
        self._path, self._size, self._count = path, os.fstat(raw.fileno()).st_size, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = self._stream.read(len(buffer))
        buffer[: len(part)] = part
        self._count += len(part)
        if self._count > UNASKED:
            if self._count > limit("unpacked_bytes"):
                raise over_limit(self._path, "unpacks to more bytes", "unpacked_bytes")
            if self._count > self._size * limit("unpacked_ratio"):
                raise over_limit(self._path, "unpacks to more times its size", "unpacked_ratio")
        return len(part)
