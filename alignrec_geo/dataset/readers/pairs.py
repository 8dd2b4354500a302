"""Interactions from the columns of a table: who, what, and what is told of it."""

from dataclasses import dataclass

import polars as pl

from alignrec_geo.dataset.readers.bad_rows import OPTION, left_out_notes, usable
from alignrec_geo.dataset.readers.columns import (
    SKIP,
    id_column,
    rating_column,
    spaced,
    split_column,
    weight_column,
    with_ids,
)
from alignrec_geo.dataset.readers.rows import Table
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


def interaction_columns(table: Table, columns: PairColumns) -> tuple[pl.DataFrame, list[str]]:
    """The named columns as ``user``, ``item`` and, where given, ``split``, ``timestamp``, ``rating``, ``weight``.

    Returns:
        The interactions, and notes.

    Raises:
        InputError: a column is not there, or a row holds what it cannot hold.
    """
    notes = [f"{table.label}: {note}" for note in table.notes]
    if columns.skip_empty_ids:
        table, said = with_ids(table, columns.user, columns.item)
        notes += said
    hint = OPTION if columns.skip_bad_rows is False else ""
    frame, table = usable(table, lambda rows: _typed(rows, columns), bool(columns.skip_bad_rows), hint)
    notes += left_out_notes(table)
    for kind, name in (("user", columns.user), ("item", columns.item)):
        ids, said = spaced(table, name, frame[kind], columns.strip_ids)
        frame = frame.with_columns(ids.alias(kind))
        notes += said
    return frame, notes


def _typed(table: Table, columns: PairColumns) -> pl.DataFrame:
    hint = SKIP if columns.skip_bad_rows is False else ""
    typed = {"user": id_column(table, columns.user, hint), "item": id_column(table, columns.item, hint)}
    if columns.split is not None:
        typed["split"] = split_column(table, columns.split, columns.split_unused)
    if columns.timestamp is not None:
        typed["timestamp"] = time_column(table, columns.timestamp)
    if columns.rating is not None:
        typed["rating"] = rating_column(table, columns.rating)
    if columns.weight is not None:
        typed["weight"] = weight_column(table, columns.weight)
    return pl.DataFrame(typed)
