"""Rows in memory that know where they come from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from alignrec_geo.errors import InputError
from alignrec_geo.typing import Int64

LONGEST = 80
"""Characters of a value that errors show."""


def shown(value: object) -> str:
    """A value as errors show it: in quotes, on one line, not too long; ``nothing`` where there is none.

    Example:
        >>> shown("a\\nb"), shown(7), shown(None)
        ("'a\\\\nb'", "'7'", 'nothing')
    """
    text = str(value)
    return "nothing" if value is None else repr(text if len(text) <= LONGEST else text[: LONGEST - 1] + "…")


@dataclass(frozen=True)
class Table:
    """A frame and where its rows come from, so that an error can name them.

    Args:
        frame: the rows.
        label: the file (or what else the rows come from).
        lines: line number in the file of every row, ``None`` where lines have no meaning.
        twice: names that several columns of the file have.
        nested: columns that hold lists or objects, of which some may have become text.
    """

    frame: pl.DataFrame
    label: str
    lines: Int64 | None = None
    twice: Sequence[str] = ()
    nested: Sequence[str] = ()

    def where(self, row: int) -> str:
        """Name a row for a person: ``line 17`` of a text file, else ``row 16`` counted from 1."""
        return f"row {row + 1}" if self.lines is None else f"line {self.lines[row]}"

    def take(self, rows: pl.Series) -> "Table":
        """The rows where ``rows`` is true."""
        lines = None if self.lines is None else self.lines[rows.to_numpy()]
        return replace(self, frame=self.frame.filter(rows), lines=lines)

    def column(self, name: str, hint: str = "") -> pl.Series:
        """Return a column.

        Raises:
            InputError: there is none of that name, or several; the message lists those there are and ends with
                ``hint``.
        """
        if name in self.twice:
            raise InputError(f"{self.label}: several columns are called '{name}'; which one is meant?")
        if name not in self.frame.columns:
            known = ", ".join(map(shown, self.frame.columns[:40]))
            raise InputError(f"{self.label}: no column '{name}'; there are: {known}{hint}")
        return self.frame[name]
