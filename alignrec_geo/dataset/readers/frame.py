"""A data set from polars or pandas frames."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from alignrec_geo.dataset.build import Tables, build_dataset
from alignrec_geo.dataset.filters import FilterConfig
from alignrec_geo.dataset.ids import text_ids
from alignrec_geo.dataset.images import ImageSource
from alignrec_geo.dataset.readers.features import ItemIds, with_matrices
from alignrec_geo.dataset.readers.items import item_table
from alignrec_geo.dataset.readers.matrices import Matrix, as_float32
from alignrec_geo.dataset.readers.table import interaction_columns
from alignrec_geo.dataset.readers.tables import Table
from alignrec_geo.dataset.splits import SplitConfig
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.validation import checked


def from_frame(
    interactions: Any,
    *,
    name: str = "frame",
    user: str = "user",
    item: str = "item",
    split: str | None = None,
    timestamp: str | None = None,
    rating: str | None = None,
    items: Any = None,
    item_id: str = "id",
    title: str | None = None,
    text: str | Sequence[str] | None = None,
    all_items: bool = False,
    features: Mapping[str, Any] | None = None,
    images: str | os.PathLike[str] | ImageSource | None = None,
    rule: SplitConfig | None = None,
    min_rating: float | None = None,
    k_core: int = 1,
) -> Dataset:
    """Build a data set from frames in memory.

    Args:
        interactions: polars or pandas frame, one row per interaction.
        name: what tables call the data set.
        user: column of the user id.
        item: column of the item id.
        split: column that says train, validation or test (or 0, 1, 2).
        timestamp: column of the time.
        rating: column of the rating.
        items: polars or pandas frame of item metadata.
        item_id: its id column.
        title: its title column; ``"title"`` if there is one of that name.
        text: its text column or columns; ``"text"`` if there is one of that name.
        all_items: keep items of ``items`` that nobody interacted with.
        features: matrices by name, each ``(ids, matrix)`` or a matrix by row: row ``r`` belongs to the item
            whose id is the whole number ``r``, or, if ids are not whole numbers, to row ``r`` of ``items``.
        images: folder or tar of pictures called ITEM-ID.jpg.
        rule: split rule where there is no split column; random per user with seed 0 if not given.
        min_rating: keep rows with at least this rating.
        k_core: keep the part in which every user and item has at least this many rows.

    Raises:
        InputError: a column is not there, or a row holds what it cannot hold.

    Example:
        >>> import polars as pl
        >>> clicks = pl.DataFrame({"user": ["ann", "ann", "bob"], "item": ["mug", "pen", "mug"]})
        >>> from_frame(clicks).counts()["interactions"]
        3
    """
    if split is not None and rule is not None and rule.rule != "given":
        raise InputError(f"split column '{split}' and rule '{rule.rule}' contradict each other; give one")
    table = Table(to_polars(interactions, "interactions"), "interactions frame")
    frame = interaction_columns(table, user, item, rating, timestamp, split)
    described: pl.DataFrame | None = None
    notes: list[str] = []
    if items is not None:
        metadata = Table(to_polars(items, "items"), "items frame")
        has = metadata.frame.columns
        fields = [text] if isinstance(text, str) else list(text) if text is not None else ["text"] * ("text" in has)
        described, notes = item_table(metadata, item_id, title or ("title" if "title" in has else None), fields)
    dataset = build_dataset(
        name,
        Tables(
            interactions=frame,
            items=described,
            keep_items=all_items,
            images=ImageSource(Path(images)) if isinstance(images, str | os.PathLike) else images,
        ),
        SplitConfig(rule="given") if split else rule or SplitConfig(),
        checked(FilterConfig, {"min_rating": min_rating, "k_core": k_core}),
        source={"format": "frame"},
        notes=notes,
    )
    known = frame["item"] if described is None else pl.concat([frame["item"], described["id"].rename("item")])
    ids = ItemIds(known=known.unique(), listed=None if described is None else described["id"])
    return with_matrices(dataset, ids, {key: _matrix(key, given) for key, given in (features or {}).items()})


def to_polars(frame: Any, label: str) -> pl.DataFrame:
    """A polars frame from a polars or pandas one (pandas need not be installed).

    Raises:
        InputError: it is neither, or pandas columns of mixed types.
    """
    if isinstance(frame, pl.DataFrame):
        return frame
    if isinstance(frame, pl.LazyFrame):
        return frame.collect()
    if not (hasattr(frame, "iloc") and hasattr(frame, "columns")):
        raise InputError(f"{label}: a polars or pandas frame is needed (got '{type(frame).__name__}')")
    try:
        converted = pl.from_pandas(frame)
    except (TypeError, ValueError) as error:
        raise InputError(f"{label}: the pandas frame cannot be converted ({error})") from None
    return pl.DataFrame(converted)


def _matrix(name: str, given: Any) -> Matrix:
    label = f"features '{name}'"
    if not isinstance(given, tuple):
        return Matrix(as_float32(np.asarray(given), label), label)
    ids, values = given
    named = pl.Series("id", text_ids(ids, f"{label}: ids"), dtype=pl.String)
    return Matrix(as_float32(np.asarray(values), label), label, named)
