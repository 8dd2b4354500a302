"""Delimited text with quotes elsewhere than around whole fields, where a quote is a character: row by row."""

import csv
import io
from collections.abc import Iterable, Iterator

import numpy as np

from alignrec_geo.dataset.readers.records import TWICE, check_swallowed
from alignrec_geo.errors import InputError
from alignrec_geo.typing import Int64

Rows = tuple[list[list[str]], Int64]
"""The fields of every record that is not blank, and the number of the line on which it begins."""


def read_loose(content: bytes, separator: str, label: str, before: int = 0) -> Rows:
    """Read records that have quotes elsewhere than around whole fields.

    Args:
        content: the text.
        separator: between fields.
        label: the file, for errors.
        before: lines of the file before this text.

    Raises:
        InputError: a quote is not closed, or something follows a closing quote; the message names the line.
    """
    return next(loose_batches([content], separator, label, before, len(content) + 1), ([], np.empty(0, np.int64)))


def loose_batches(
    blocks: Iterable[bytes], separator: str, label: str, before: int = 0, size: int = 1 << 24
) -> Iterator[Rows]:
    """The same for a text that comes in blocks of whole lines, about ``size`` bytes at a time."""
    taken = _Lines(blocks)
    reader = csv.reader(taken, delimiter=separator, strict=True)
    finished = False
    while not finished:
        rows, lines, spans, start = list[list[str]](), list[int](), list[tuple[int, int]](), reader.line_num
        begin = start + 1
        try:
            for row in reader:
                if len(row) > 1 or (row and row[0].strip()):
                    rows.append(row)
                    lines.append(begin)
                if reader.line_num > begin:
                    spans.append((begin - start, reader.line_num + 1 - start))
                begin = reader.line_num + 1
                if taken.size >= size:
                    break
            else:
                finished = True
        except csv.Error as error:
            what = str(error)
            known = {"unexpected end": "is not closed", "expected after": "closes before the end of its field"}
            why = next((said for part, said in known.items() if part in what), f"is not closed soon ({what})")
            raise InputError(f"{label}: a quote opens in line {before + begin} and {why}; {TWICE}") from None
        check_swallowed(taken.start_anew(), spans, separator, label, before + start)
        if rows:
            yield rows, np.array(lines, dtype=np.int64) + before


class _Lines(Iterator[str]):
    """Lines of text in blocks, which remembers what it gave."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._lines = (line for block in blocks for line in io.StringIO(block.decode(), newline=""))
        self._given: list[str] = []
        self.size = 0

    def __next__(self) -> str:
        line = next(self._lines)
        self._given.append(line)
        self.size += len(line)
        return line

    def start_anew(self) -> bytes:
        """What was given since the last call."""
        given, self._given, self.size = "".join(self._given).encode(), [], 0
        return given
