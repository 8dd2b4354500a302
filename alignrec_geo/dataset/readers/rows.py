"""Rows in memory that know where they come from."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from alignrec_geo.errors import InputError
from alignrec_geo.typing import Int64

LONGEST = 80
"""Characters of a value that errors show."""
SHOWN_ROWS = 3
"""Rows that could not be used and are shown with the reason."""


def shown(value: object) -> str:
    """A value as errors show it: in quotes, on one line, not too long; ``nothing`` where there is none.

    Example:
        >>> shown("a\\nb"), shown(7), shown(None)
        ("'a\\\\nb'", "'7'", 'nothing')
    """
    text = str(value)
    return "nothing" if value is None else repr(text if len(text) <= LONGEST else text[: LONGEST - 1] + "…")


@dataclass(frozen=True)
class LeftOut:
    """Rows that could not be used.

    Args:
        count: how many.
        first: number of the file, number of the row or line, and what is wrong with it, of the first of them.
    """

    count: int = 0
    first: tuple[tuple[int, int, str], ...] = ()

    def and_also(self, other: "LeftOut") -> "LeftOut":
        """Both together."""
        return LeftOut(self.count + other.count, tuple(sorted({*self.first, *other.first}))[:SHOWN_ROWS])


@dataclass(frozen=True)
class Table:
    """A frame and where its rows come from, so that an error can name them.

    Args:
        frame: the rows.
        label: the file (or what else the rows come from).
        lines: number in the file of every row, ``None`` where rows are numbered as they stand.
        twice: names that several columns of the file have.
        nested: columns that hold lists or objects, of which some may have become text.
        unit: what ``lines`` count.
        files: names of the files, where there are several.
        file_of: for every row which of them it is from.
        notes: what there is to say of how it was read.
        left_out: rows that could not be read.
        decimal: the decimal mark of numbers in text; ``None`` is a point that nobody could change.
    """

    frame: pl.DataFrame
    label: str
    lines: Int64 | None = None
    twice: Sequence[str] = ()
    nested: Sequence[str] = ()
    unit: str = "line"
    files: Sequence[str] = ()
    file_of: Int64 | None = None
    notes: Sequence[str] = ()
    left_out: LeftOut = field(default_factory=LeftOut)
    decimal: str | None = None

    def where(self, row: int) -> str:
        """Name a row for a person: ``line 17`` of a text file, else ``row 16`` counted from 1."""
        found = f"row {row + 1}" if self.lines is None else f"{self.unit} {self.lines[row]}"
        return found if self.file_of is None else f"{found} of {self.files[self.file_of[row]]}"

    def place(self, row: int) -> tuple[int, int]:
        """Number of the file and number in it, by which rows are in order."""
        file = 0 if self.file_of is None else int(self.file_of[row])
        return file, row + 1 if self.lines is None else int(self.lines[row])

    def numbered(self) -> "Table":
        """The same, with numbers of rows that stay when others are left out."""
        if self.lines is not None:
            return self
        return replace(self, lines=np.arange(1, self.frame.height + 1, dtype=np.int64), unit="row")

    def take(self, rows: pl.Series) -> "Table":
        """The rows where ``rows`` is true."""
        kept = rows.to_numpy()
        table = self.numbered()
        assert table.lines is not None
        file_of = None if self.file_of is None else self.file_of[kept]
        return replace(table, frame=self.frame.filter(rows), lines=table.lines[kept], file_of=file_of)

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
