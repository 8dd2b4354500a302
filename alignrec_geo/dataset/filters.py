"""Filters on interactions before they are numbered: minimum rating and k-core."""

from collections.abc import Collection

import polars as pl
from pydantic import Field

from alignrec_geo.errors import InputError
from alignrec_geo.settings import Settings


class FilterConfig(Settings):
    """Which interactions are kept."""

    min_rating: float | None = None
    """Keep rows with at least this rating."""
    k_core: int = Field(default=1, ge=1)
    """Drop users and items with fewer rows, again and again, until none is left that has fewer."""


def at_least_rated(frame: pl.DataFrame, min_rating: float) -> pl.DataFrame:
    """The rows of ``frame`` with a rating of at least ``min_rating``.

    Raises:
        InputError: there is no rating column.
    """
    check_rated(min_rating, frame.columns)
    return frame.filter(pl.col("rating") >= min_rating)


def check_rated(min_rating: float, columns: Collection[str]) -> None:
    """Refuse a minimum rating where there are no ratings.

    Raises:
        InputError: there is no rating column.
    """
    if "rating" not in columns:
        raise InputError(f"a minimum rating ({min_rating}) needs a rating column; name it with rating=")


def k_core(frame: pl.DataFrame, k: int) -> pl.DataFrame:
    """The largest part of ``frame`` in which every user and every item has at least ``k`` rows.

    Example:
        >>> import polars as pl
        >>> pairs = pl.DataFrame({"user": ["a", "a", "b", "b", "c"], "item": ["x", "y", "x", "y", "y"]})
        >>> k_core(pairs, 2).height
        4
    """
    while True:
        kept = frame.filter((pl.len().over("user") >= k) & (pl.len().over("item") >= k))
        if kept.height == frame.height:
            return kept
        frame = kept
