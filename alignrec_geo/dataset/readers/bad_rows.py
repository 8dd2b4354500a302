"""Rows that hold what they cannot hold: refused with the first of them, or left out, counted and shown."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np
import polars as pl

from alignrec_geo.dataset.readers.rows import SHOWN_ROWS, LeftOut, Table
from alignrec_geo.errors import InputError

Read = TypeVar("Read")

OPTION = "; skip_bad_rows=True leaves out and counts such rows"
"""Ends an error on a row, for readers that can leave rows out."""


class BadRowsError(InputError):
    """Rows of a table cannot be used; the message is on the first of them.

    Args:
        table: the rows.
        bad: which of them, boolean.
        say: what is wrong with one, by its number in the table: ``line 7 has …``.
    """

    def __init__(self, table: Table, bad: pl.Series, say: Callable[[int], str]) -> None:
        self.bad, self.say = bad, say
        super().__init__(f"{table.label}: {say(int(bad.arg_max() or 0))}")


def refuse(table: Table, bad: pl.Series, say: Callable[[int], str]) -> None:
    """Refuse a table that has a bad row.

    Raises:
        BadRowsError: it has.
    """
    if bad.any():
        raise BadRowsError(table, bad, say)


def usable(
    table: Table, read: Callable[[Table], Read], skip: bool, hint: str = "", part: bool = False
) -> tuple[Read, Table]:
    """Read the rows of a table that can be read.

    Args:
        table: the rows.
        read: reads them all, or raises :class:`BadRowsError`.
        skip: leave those out and read the others.
        hint: ends the error otherwise.
        part: they are some rows of a table, of which more than half may be left out.

    Returns:
        What ``read`` made of the rows that are left, and these rows.

    Raises:
        InputError: a row cannot be used and ``skip`` is false, or more than half of them cannot.

    Example:
        >>> table = Table(pl.DataFrame({"stars": ["5", "4", "n/a"]}), "t.csv")
        >>> def stars(table):
        ...     numbers = table.frame["stars"].cast(pl.Int64, strict=False)
        ...     refuse(table, numbers.is_null(), lambda row: f"{table.where(row)} holds no number")
        ...     return numbers.to_list()
        >>> found, left = usable(table, stars, skip=True)
        >>> found, left_out_notes(left)
        ([5, 4], ['t.csv: 1 of 3 rows cannot be used and were left out: row 3 holds no number'])
    """
    while True:  # a check that has failed holds for the rows that are left: as many rounds as checks at most
        try:
            found = read(table)
        except BadRowsError as error:
            if not skip:
                more = "" if "=True" in str(error) else hint
                raise InputError(f"{error}{more}") from None
            table = _without(table, error)
            if not part:
                check_enough_left(table)
        else:
            return found, table


def left_out_notes(table: Table) -> list[str]:
    """How many rows of a table were left out, and why the first of them were; empty where none was."""
    return left_out_note(table.label, table.left_out, table.frame.height)


def left_out_note(label: str, left_out: LeftOut, kept: int) -> list[str]:
    """The same from what is known of them.

    Args:
        label: the table.
        left_out: the rows.
        kept: how many others there are.
    """
    return [f"{label}: {_said(left_out, kept)} and were left out: {_examples(left_out)}"] if left_out.count else []


def check_enough_left(table: Table) -> None:
    """Refuse a table of which more than half cannot be used: it is laid out otherwise than it was read.

    Raises:
        InputError: that is so.
    """
    check_enough_kept(table.label, table.left_out, table.frame.height)


def check_enough_kept(label: str, left_out: LeftOut, kept: int) -> None:
    """The same from what is known of the rows; see :func:`left_out_note`."""
    if left_out.count > kept:
        raise InputError(f"{label}: {_said(left_out, kept)}, which is more than half: {_examples(left_out)}")


def _without(table: Table, error: BadRowsError) -> Table:
    rows = np.flatnonzero(error.bad.to_numpy())
    first = tuple((*table.place(row), error.say(row)) for row in rows[:SHOWN_ROWS].tolist())
    return replace(table.take(~error.bad), left_out=table.left_out.and_also(LeftOut(len(rows), first)))


def _said(left_out: LeftOut, kept: int) -> str:
    return f"{left_out.count:,} of {kept + left_out.count:,} rows cannot be used"


def _examples(left_out: LeftOut) -> str:
    more = "; …" if left_out.count > len(left_out.first) else ""
    return "; ".join(text for _, _, text in left_out.first) + more
