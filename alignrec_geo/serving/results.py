"""What recommending returns: lists and mappings that a notebook shows and that become frames."""

from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

import polars as pl

from alignrec_geo.dataset.ids import in_given_type
from alignrec_geo.errors import InputError
from alignrec_geo.notebook import html_table
from alignrec_geo.serving.asked import id_column_of

MODEL, CONTENT, POPULAR = "model", "content", "popular"
"""The sources of a score."""
MOST_SHOWN = 20
"""Rows that a notebook shows."""
COLUMNS = ("rank", "item", "title", "score", "source", "cold")


class Recommendation(NamedTuple):
    """One recommended item."""

    item: str
    """External id."""
    title: str | None
    """Title, where known."""
    score: float
    """Dot product (for :meth:`TopItems.similar` the cosine; for popular items the number of training interactions)."""
    cold: bool = False
    """Whether the item has no training interaction."""
    source: str = MODEL
    """Where the score comes from: ``model`` (the trained tables), ``content`` (a cold item's vector from its content),
    or ``popular`` (the most popular items, which a cold user gets)."""


class SimilarItems(list[Recommendation]):
    """The items closest to an item or best for a basket, the best first: a list that is a frame, too.

    Attributes:
        whole_ids: whether the data set's item ids were whole numbers when they were given; frames hold them as such.
        notes: what of the rules of the request could not be used.
    """

    whole_ids = False
    notes: Sequence[str] = ()

    def to_frame(self) -> pl.DataFrame:
        """Return one row per item: rank from 1, external id, title, score, source, and whether the item is cold."""
        return _frame(enumerate(self, start=1), self.whole_ids)

    def to_pandas(self) -> Any:
        """:meth:`to_frame` as a pandas frame.

        Raises:
            InputError: pandas is not installed.
        """
        return as_pandas(self.to_frame())

    def _repr_html_(self) -> str:
        return html_table(_cells(enumerate(self[:MOST_SHOWN], start=1)), COLUMNS[:5])


class Recommendations(dict[Any, list[Recommendation]]):
    """The best items of every user, by the ids that were given: a dictionary that is a frame, too.

    Attributes:
        whole_ids: see :class:`SimilarItems`.
        notes: likewise.

    Example:
        >>> found = Recommendations({7: [Recommendation("mug", "A mug", 0.5), Recommendation("pen", None, 0.25)]})
        >>> found.to_frame()["user", "rank", "item"].rows()
        [(7, 1, 'mug'), (7, 2, 'pen')]
    """

    whole_ids = False
    notes: Sequence[str] = ()

    def to_frame(self) -> pl.DataFrame:
        """Return one row per user and item: the user's id as it was given, rank from 1, and the item's columns.

        These are the external id, title, score, source, and whether the item is cold.
        """
        users = [user for user, items in self.items() for _ in items]
        ranked = ((rank, item) for items in self.values() for rank, item in enumerate(items, start=1))
        frame = _frame(ranked, self.whole_ids)
        return frame.insert_column(0, id_column_of(users, "user"))

    def to_pandas(self) -> Any:
        """:meth:`to_frame` as a pandas frame.

        Raises:
            InputError: pandas is not installed.
        """
        return as_pandas(self.to_frame())

    def _repr_html_(self) -> str:
        rows = [(user, *cells) for user, items in self.items() for cells in _cells(enumerate(items, start=1))]
        left = f"<p>and {len(rows) - MOST_SHOWN} more rows</p>" if len(rows) > MOST_SHOWN else ""
        return html_table(rows[:MOST_SHOWN], ("user", *COLUMNS[:5])) + left


def as_pandas(frame: pl.DataFrame) -> Any:
    """Return a polars frame as a pandas one.

    Raises:
        InputError: pandas is not installed.
    """
    if find_spec("pandas") is None:
        raise InputError("to_pandas needs pandas, which is not installed: pip install pandas")
    return frame.to_pandas()


def _frame(ranked: Iterable[tuple[int, Recommendation]], whole_ids: bool) -> pl.DataFrame:
    kinds = dict(zip(COLUMNS, (pl.Int64, pl.String, pl.String, pl.Float64, pl.String, pl.Boolean), strict=True))
    rows = [(rank, one.item, one.title, one.score, one.source, one.cold) for rank, one in ranked]
    frame = pl.DataFrame(rows, schema=kinds, orient="row")
    return frame.with_columns(in_given_type(frame["item"], whole_ids))


def _cells(ranked: Iterable[tuple[int, Recommendation]]) -> list[tuple[object, ...]]:
    return [(rank, one.item, one.title or "", f"{one.score:.4g}", one.source) for rank, one in ranked]
