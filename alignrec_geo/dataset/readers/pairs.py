"""Interactions from the columns of a table: who, what, and what is told of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import polars as pl

from alignrec_geo.dataset.readers.bad_rows import OPTION, left_out_note, usable
from alignrec_geo.dataset.readers.columns import (
    SKIP,
    Counted,
    id_column,
    rating_column,
    spaced,
    spaced_note,
    split_column,
    weight_column,
    with_ids,
    without_ids_note,
)
from alignrec_geo.dataset.readers.rows import LeftOut, Table
from alignrec_geo.dataset.readers.times import time_column


@dataclass(frozen=True)
class PairColumns:
    """Names of the columns, and what to do with rows and ids that are not as they should be.

    Args:
        user: user ids.
        item: item ids.
        rating: ratings.
        timestamp: times.
        split: the split of every row.
        split_unused: values of it whose rows belong to no split.
        weight: weights.
        skip_empty_ids: leave out rows without an id.
        skip_bad_rows: leave out every row that cannot be used; ``None`` if nobody can be told to.
        strip_ids: take off the spaces around ids.
    """

    user: str
    item: str
    rating: str | None = None
    timestamp: str | None = None
    split: str | None = None
    split_unused: tuple[str, ...] = ()
    weight: str | None = None
    skip_empty_ids: bool = False
    skip_bad_rows: bool | None = None
    strip_ids: bool = False

    def names(self) -> list[str]:
        """The columns that are read."""
        every = (self.user, self.item, self.rating, self.timestamp, self.split, self.weight)
        return [name for name in every if name is not None]


@dataclass(frozen=True)
class PairFacts:
    """What there is to say of a table of interactions, or of a part of one.

    Args:
        notes: of how it was read.
        empty: rows without an id that were left out.
        left_out: rows that could not be used.
        rows: those that are left.
        spaced: ids with spaces around them, by ``user`` and ``item``.
    """

    notes: tuple[str, ...] = ()
    empty: Counted = field(default_factory=Counted)
    left_out: LeftOut = field(default_factory=LeftOut)
    rows: int = 0
    spaced: Mapping[str, Counted] = field(default_factory=dict)

    def and_then(self, other: "PairFacts") -> "PairFacts":
        """Those of a part and of a later one."""
        return PairFacts(
            tuple(dict.fromkeys(self.notes + other.notes)),
            self.empty.and_then(other.empty),
            self.left_out.and_also(other.left_out),
            self.rows + other.rows,
            {kind: found.and_then(other.spaced[kind]) for kind, found in self.spaced.items()} or other.spaced,
        )

    def said(self, label: str, columns: PairColumns, ids: Mapping[str, pl.Series]) -> list[str]:
        """The notes.

        Args:
            label: the table.
            columns: how it was read.
            ids: of ``user`` and ``item``, as they were written; those that come again may be left out.
        """
        said = [f"{label}: {note}" for note in self.notes]
        said += without_ids_note(label, self.empty, columns.user, columns.item)
        said += left_out_note(label, self.left_out, self.rows)
        for kind, name in (("user", columns.user), ("item", columns.item)):
            said += spaced_note(label, name, self.spaced[kind], ids[kind], columns.strip_ids)
        return said


def interaction_columns(table: Table, columns: PairColumns) -> tuple[pl.DataFrame, list[str]]:
    """The named columns as ``user``, ``item`` and, where given, ``split``, ``timestamp``, ``rating``, ``weight``.

    Returns:
        The interactions, and notes.

    Raises:
        InputError: a column is not there, or a row holds what it cannot hold.
    """
    frame, _, facts = read_pairs(table, columns, lambda rows: _typed(rows, columns))
    written = {kind: frame[f"{kind} as written"] for kind in ("user", "item")}
    return frame.drop("user as written", "item as written"), facts.said(table.label, columns, written)


def read_pairs(
    table: Table, columns: PairColumns, typed: Callable[[Table], pl.DataFrame], part: bool = False
) -> tuple[pl.DataFrame, Table, PairFacts]:
    """The rows that can be used, typed, with ids also as they were written; these rows, and what there is to say.

    Args:
        table: the rows.
        columns: what to do with those that cannot be used.
        typed: makes columns of rows, ``user`` and ``item`` among them.
        part: they are some rows of a table.

    Raises:
        InputError: a row holds what it cannot hold.
    """
    empty, notes = Counted(), tuple(table.notes)
    if columns.skip_empty_ids:
        table, empty = with_ids(table, columns.user, columns.item)
    hint = OPTION if columns.skip_bad_rows is False else ""
    frame, table = usable(table, typed, bool(columns.skip_bad_rows), hint, part)
    found: dict[str, Counted] = {}
    for kind in ("user", "item"):
        ids, found[kind] = spaced(table, frame[kind], columns.strip_ids)
        frame = frame.with_columns(frame[kind].alias(f"{kind} as written"), ids.alias(kind))
    return frame, table, PairFacts(notes, empty, table.left_out, frame.height, found)


def _typed(table: Table, columns: PairColumns) -> pl.DataFrame:
    typed = told_columns(table, columns)
    if columns.timestamp is not None:
        typed["timestamp"] = time_column(table, columns.timestamp)
    return pl.DataFrame(numbers_after(typed, table, columns))


def told_columns(table: Table, columns: PairColumns, as_written: bool = False) -> dict[str, pl.Series]:
    """Ids and splits; see :func:`~.columns.id_column`."""
    hint = SKIP if columns.skip_bad_rows is False else ""
    typed = {
        "user": id_column(table, columns.user, hint, as_written),
        "item": id_column(table, columns.item, hint, as_written),
    }
    if columns.split is not None:
        typed["split"] = split_column(table, columns.split, columns.split_unused)
    return typed


def numbers_after(typed: dict[str, pl.Series], table: Table, columns: PairColumns) -> dict[str, pl.Series]:
    """With ratings and weights."""
    if columns.rating is not None:
        typed["rating"] = rating_column(table, columns.rating)
    if columns.weight is not None:
        typed["weight"] = weight_column(table, columns.weight)
    return typed
