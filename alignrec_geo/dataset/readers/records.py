"""Where the records of delimited text begin and end, counted from its bytes, so that no parser can lose one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alignrec_geo.errors import InputError
from alignrec_geo.typing import Int64

QUOTE, NEWLINE, RETURN = 34, 10, 13
TWICE = 'inside a quoted field a quote is written twice ("")'


@dataclass(frozen=True)
class Records:
    """The records of a text, blank ones left out.

    Args:
        text: the records, one line feed after each; line feeds inside quotes stay.
        first: bytes of the first record, its line feed included.
        lines: number of the line, from 1, on which each begins.
        fields: number of fields of each.
        ends: where in the text each ends, its line feed included.
    """

    text: bytes
    first: int
    lines: Int64
    fields: Int64
    ends: Int64

    def take(self, kept: NDArray[np.bool_]) -> "Records":
        """The records that are kept; the first must be."""
        lengths = np.diff(self.ends, prepend=0)
        codes = np.frombuffer(self.text, dtype=np.uint8)[np.repeat(kept, lengths)]
        return Records(codes.tobytes(), self.first, self.lines[kept], self.fields[kept], np.cumsum(lengths[kept]))


def find_records(content: bytes, separator: str, quoted: bool, label: str, before: int = 0) -> Records | None:
    """Find the records of delimited text.

    Args:
        content: UTF-8, not blank; lines end in line feeds, before which carriage returns may stand.
        separator: one ASCII character.
        quoted: whether fields may stand in quotes as RFC 4180 says; otherwise a quote is a character.
        label: the file, for errors.
        before: lines of the file before this text.

    Returns:
        The records, or ``None`` where quotes stand elsewhere than around whole fields.

    Raises:
        InputError: lines inside quotes are rows of their own; see :func:`check_swallowed`.

    Example:
        >>> found = find_records(b'a,b\\n1,"x\\ny"\\n\\n2,z\\n', ",", quoted=True, label="t.csv")
        >>> found.lines.tolist(), found.fields.tolist()
        ([1, 2, 5], [2, 2, 2])
    """
    content = content if content.endswith(b"\n") else content + b"\n"
    codes = np.frombuffer(content, dtype=np.uint8)
    marks = codes == ord(separator)
    breaks = np.flatnonzero(codes == NEWLINE)
    ends = breaks
    if quoted and b'"' in content:
        inside = _inside_quotes(codes, ord(separator))
        if inside is None:
            return None
        marks, ends = marks & ~inside, ends[~inside[ends]]
    starts = np.concatenate(([0], ends[:-1] + 1)).astype(np.int64)
    fields = np.add.reduceat(marks, starts, dtype=np.int64) + 1
    lines = np.searchsorted(breaks, starts).astype(np.int64) + 1
    height = np.diff(lines, append=len(breaks) + 1)
    several = [(lines[row], lines[row] + height[row]) for row in np.flatnonzero(height > 1)]
    check_swallowed(content, several, separator, label, before)
    lines += before
    if b"\r" not in content and (fields == fields[0]).all() and (starts < ends).all():
        return Records(content, int(ends[0]) + 1, lines, fields, ends.astype(np.int64) + 1)
    parts = [content[a:b].rstrip(b"\r") for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
    kept = [row for row, part in enumerate(parts) if part.strip(b" \r\n")]
    text = b"".join(parts[row] + b"\n" for row in kept)
    after = np.cumsum([len(parts[row]) + 1 for row in kept], dtype=np.int64)
    return Records(text, len(parts[kept[0]]) + 1, lines[kept], fields[kept], after)


def quotes_anywhere(content: bytes, separator: str) -> bool:
    """Whether quotes stand elsewhere than around whole fields.

    Example:
        >>> [quotes_anywhere(row, ",") for row in (b'5" pipe,2', b'"5, or 6",2')]
        [True, False]
    """
    codes = np.frombuffer(content, dtype=np.uint8)
    return b'"' in content and _inside_quotes(codes, ord(separator)) is None


def check_swallowed(
    content: bytes, spans: Sequence[tuple[int, int]], separator: str, label: str, before: int = 0
) -> None:
    """Refuse quoted fields with line breaks whose lines are rows of their own, which two stray quotes swallowed.

    That is so where each of the lines has as many separators as the header, and begins with a first or second field
    that other rows have too.

    Args:
        content: the text.
        spans: first line, from 1, and the line after the last, of every record of more than one line.
        separator: between fields.
        label: the file, for errors.
        before: lines of the file before this text.

    Raises:
        InputError: one is; the message names the line.
    """
    if not spans:
        return
    mark, lines = separator.encode(), content.split(b"\n")
    usual = lines[0].count(mark)
    alike = [span for span in spans if usual and all(lines[at - 1].count(mark) == usual for at in range(*span))]
    if not alike:
        return
    later = {at - 1 for first, after in spans for at in range(first + 1, after)}
    others = [line.split(mark, 2)[:2] for at, line in enumerate(lines) if at not in later and mark in line]
    known = [{pair[place] for pair in others if pair[place].strip() and b'"' not in pair[place]} for place in (0, 1)]
    for first, after in alike:
        pairs = [lines[at - 1].split(mark, 2)[:2] for at in range(first + 1, after)]
        if all(pair[0] in known[0] or pair[1] in known[1] for pair in pairs):
            raise InputError(
                f"{label}: a quote opens in line {before + first} and closes in line {before + after - 1}, and each of "
                f"these lines is a row of its own; if the quotes belong to the text: {TWICE}, and quotes stand around "
                "it"
            )


def _inside_quotes(codes: NDArray[np.uint8], separator: int) -> NDArray[np.bool_] | None:
    """Whether each byte stands inside quotes; ``None`` if quotes are not where RFC 4180 has them."""
    quotes = np.flatnonzero(codes == QUOTE)
    if len(quotes) % 2:
        return None
    around = np.concatenate(([NEWLINE], codes, [NEWLINE])).astype(np.uint8)
    before, after = around[quotes[0::2]], around[quotes[1::2] + 2]
    allowed = np.array([separator, NEWLINE, RETURN, QUOTE], dtype=np.uint8)
    if not (np.isin(before, allowed).all() and np.isin(after, allowed).all()):
        return None
    return (np.cumsum(codes == QUOTE, dtype=np.uint8) & 1).astype(np.bool_)
