"""What may be recommended: items by their ids or columns, and pairs of user and item that may not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from alignrec_geo.dataset.build import ITEM_COLUMNS
from alignrec_geo.dataset.ids import text_ids
from alignrec_geo.dataset.readers.columns import id_column
from alignrec_geo.dataset.readers.frames import frame_columns, frame_table
from alignrec_geo.dataset.readers.kept_columns import kept_columns
from alignrec_geo.dataset.readers.rows import Table
from alignrec_geo.dataset.rows_by_id import RowsById
from alignrec_geo.errors import InputError
from alignrec_geo.serving.candidates import Candidates
from alignrec_geo.serving.items_by_user import ItemsByUser
from alignrec_geo.serving.where import matching
from alignrec_geo.typing import Int64

SEEN = ("hide", "keep")


@dataclass(frozen=True)
class Rules:
    """Which items may be recommended, and to whom not.

    Args:
        only_items: external ids of the items that may be; ``None`` for all.
        without_items: external ids of items that may not be.
        where: a condition on the columns of the table of items, as SQL has it; see
            :func:`~alignrec_geo.serving.where.matching`.
        item_table: further columns for ``where``, such as prices and stock of today: a frame with a column ``item`` or
            ``id``. A column that the items have too is taken from here, but for those that every data set has.
        seen: ``hide`` leaves out what a user has interacted with, ``keep`` does not.
        exclude: items that single users may not get: a frame with the columns ``user`` and ``item``, or a dictionary
            of lists of items by user.
    """

    only_items: Any = None
    without_items: Any = None
    where: str | None = None
    item_table: Any = None
    seen: str = "hide"
    exclude: Any = None

    def hides_seen(self) -> bool:
        """Whether items that a user has interacted with are left out.

        Raises:
            InputError: ``seen`` is neither ``hide`` nor ``keep``.
        """
        if self.seen not in SEEN:
            raise InputError(f"seen must be one of {', '.join(SEEN)} (got {self.seen!r:.80})")
        return self.seen == "hide"

    def allowed(self, candidates: Candidates) -> tuple[Int64 | None, list[str]]:
        """Return rows of the items that may be recommended, ``None`` for all, and notes on ids of no item.

        Raises:
            InputError: something that is no id, a condition that is none, or no item is left.
        """
        if self.item_table is not None and self.where is None:
            raise InputError("item_table= brings columns for a condition; give one with where=")
        if self.only_items is None and self.without_items is None and self.where is None:
            return None, []
        notes: list[str] = []
        kept = np.ones(len(candidates), dtype=np.bool_)
        if self.only_items is not None:
            kept[:] = False
            kept[_rows(candidates.rows, self.only_items, "only_items", notes)] = True
        if self.without_items is not None:
            kept[_rows(candidates.rows, self.without_items, "without_items", notes)] = False
        if self.where is not None:
            kept &= matching(self._columns(candidates, notes), self.where)
        if not kept.any():
            given = ", ".join(
                f"{name}=…" for name in ("only_items", "without_items", "where") if getattr(self, name) is not None
            )
            raise InputError(f"no item is left by {given}; there are {len(candidates)} items")
        return np.flatnonzero(kept), notes

    def _columns(self, candidates: Candidates, notes: list[str]) -> pl.DataFrame:
        """The table of items with the columns of :attr:`item_table`; of an id that comes twice the first row counts."""
        if self.item_table is None:
            return candidates.table
        given = self.item_table
        table = (
            given if isinstance(given, Table) else frame_table(given, "item_table", frame_columns(given, "item_table"))
        )
        key = next((name for name in ("item", "id") if name in table.frame.columns), "item")
        ids = id_column(table, key)
        taken = [name for name in table.frame.columns if name not in (key, *ITEM_COLUMNS)]
        more = pl.DataFrame({"id": ids, **kept_columns(table, taken)}).unique("id", keep="first", maintain_order=True)
        unknown = more["id"].filter(pl.Series(candidates.rows.many(more["id"]) < 0))
        _note_unknown("item_table", unknown, more.height, notes)
        return candidates.table.drop(taken, strict=False).join(more, on="id", how="left", maintain_order="left")

    def excluded(self, candidates: Candidates, users: pl.Series | list[str]) -> tuple[ItemsByUser | None, list[str]]:
        """Return the excluded items of each of some users, by their place, and notes on ids of no item.

        Args:
            candidates: the items.
            users: external ids, as text.

        Raises:
            InputError: ``exclude`` is neither a frame with the two columns nor a dictionary, or holds what is no id.
        """
        if self.exclude is None:
            return None, []
        given_users, given_items = _pairs(self.exclude)
        notes: list[str] = []
        item = candidates.rows.many(given_items)
        _note_unknown("exclude", given_items.filter(pl.Series(item < 0)), len(given_items), notes)
        known = pl.DataFrame({"id": given_users, "item": item}).filter(pl.col("item") >= 0)
        asked = pl.DataFrame({"id": users}, schema={"id": pl.String}).with_row_index("place")
        pairs = known.join(asked, on="id")  # one id may be asked for twice, as 13 and as "13"
        place = pairs["place"].to_numpy().astype(np.int64)
        return ItemsByUser.of(place, pairs["item"].to_numpy(), len(users)), notes


def _rows(items: RowsById, ids: Any, what: str, notes: list[str]) -> Int64:
    """Rows of some items; those that are not there are noted: a list of what is in stock may know more."""
    each = text_ids(ids, what)
    names = pl.Series(each, dtype=pl.String)
    few = len(each) < len(items) // 20  # then single look-ups take less time than a join with all items
    rows = np.array([items.get(name) for name in each], dtype=np.int64) if few else items.many(names)
    _note_unknown(what, names.filter(pl.Series(rows < 0)), len(names), notes)
    return rows[rows >= 0]


def _note_unknown(what: str, unknown: pl.Series, count: int, notes: list[str]) -> None:
    if len(unknown):
        examples = ", ".join(f"'{name}'" for name in unknown.head(3).to_list())
        notes.append(f"{len(unknown)} of the {count} ids of {what} are of no item here, for example {examples}")


def _pairs(given: Any) -> tuple[pl.Series, pl.Series]:
    if isinstance(given, Mapping):
        each = [(user, text_ids(items, f"exclude: items of user '{user}'")) for user, items in given.items()]
        users = text_ids([user for user, items in each for _ in items], "exclude: users")
        names = [name for _, items in each for name in items]
        return pl.Series(users, dtype=pl.String), pl.Series(names, dtype=pl.String)
    table = frame_table(given, "exclude", ["user", "item"])
    return id_column(table, "user"), id_column(table, "item")
