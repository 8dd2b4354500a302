"""A data set with what has come since: new pairs, new users, new items."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alignrec_geo.dataset.features import Features
from alignrec_geo.dataset.images import ImageBytes
from alignrec_geo.dataset.interactions import OPTIONAL, Interactions
from alignrec_geo.dataset.rows_by_id import RowsById
from alignrec_geo.dataset.splits import SplitConfig
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.typing import Int64

Rows = tuple[NDArray[np.float32], NDArray[np.bool_]]
"""Rows of a feature matrix ``[n, D]``, and which of them are there ``[n]``."""


@dataclass(frozen=True)
class Extension:
    """A data set and what it has more than the one that it was made from.

    Args:
        dataset: the data set; the rows of old users and items are what they were, new ones come after them.
        pairs: new pairs.
        known: pairs that were there already, and stay as they were.
        users: new users.
        items: new items.
    """

    dataset: Dataset
    pairs: int
    known: int
    users: int
    items: int


def extended(
    data: Dataset,
    new: Dataset,
    items: pl.DataFrame | None = None,
    rows: Mapping[str, Rows] | None = None,
    images: Mapping[str, Path] | None = None,
) -> Extension:
    """Add the pairs of a data set to another.

    Old pairs keep their split. New ones have the split that they have in ``new``.

    Args:
        data: what there was.
        new: what has come; made with ``rule="all-train"``, all of it is training.
        items: content of items that ``data`` does not know: ``id`` and any of ``title`` and ``text``.
        rows: of these items, by feature matrix.
        images: files of their images, by id.

    Raises:
        InputError: the old pairs have times, ratings or weights and the new ones have not, or nothing is new.

    Example:
        >>> from alignrec_geo import Dataset, make_catalogue
        >>> data = make_catalogue(n_users=60, n_items=40, image_size=16)
        >>> clicks = pl.DataFrame({"user": ["ann"], "item": [data.items["id"][3]], "timestamp": [9]})
        >>> more = extended(data, Dataset.from_frame(clicks, timestamp="timestamp", rule="all-train"))
        >>> (more.users, more.items, more.dataset.interactions.n_users)
        (1, 0, 61)
    """
    described = pl.DataFrame({"id": []}, schema={"id": pl.String}) if items is None else items
    known_items = pl.concat([data.items["id"], described["id"]])
    bare = new.items.filter(~pl.col("id").is_in(known_items.to_list()))
    table = pl.concat([data.items, described, bare.with_columns(image=pl.lit(None, pl.String))], how="diagonal")
    fresh = new.users.filter(~pl.col("id").is_in(data.users["id"].to_list()))
    users = pl.concat([data.users, fresh.select("id")], how="diagonal")
    user, item = RowsById(users["id"]).many(new.users["id"]), RowsById(table["id"]).many(new.items["id"])
    pairs, added = _joined(data, new, user, item, (users.height, table.height))
    if not added and table.height == data.items.height:
        raise InputError(f"data set '{data.name}' holds everything already that '{new.name}' has; nothing is new")
    n_items = table.height - data.items.height
    said = f"{added} pairs of '{new.name}' were added, with {fresh.height} users and {n_items} items"
    made = replace(
        data,
        interactions=pairs,
        users=users,
        items=table,
        split_config=SplitConfig(rule="given"),
        notes=[*data.notes, said],
        images=_Images(data, images) if images else None,
        loaded={name: _padded(data, name, table.height, (rows or {}).get(name)) for name in data.feature_names},
        _read={},
    )
    known = len(new.interactions) - added
    return Extension(made, added, known, fresh.height, n_items)


@dataclass(frozen=True)
class _Images:
    """The images that a data set has stored, and those of new items."""

    data: Dataset
    added: Mapping[str, Path]

    def __iter__(self) -> Iterator[ImageBytes]:
        for row, name in enumerate(self.data.items["id"]):
            stored = self.data.image_path(row)
            if stored is not None and stored.is_file():
                yield name, stored.suffix.lower(), stored.read_bytes()
        for name, file in self.added.items():
            yield name, file.suffix.lower(), file.read_bytes()


def _joined(data: Dataset, new: Dataset, user: Int64, item: Int64, size: tuple[int, int]) -> tuple[Interactions, int]:
    """All pairs in the rows of the larger data set, and how many are new."""
    old, later = data.interactions, new.interactions
    columns: dict[str, Any] = {"user": user[later.user], "item": item[later.item], "split": later.split}
    for name in OPTIONAL:
        if getattr(old, name) is not None and getattr(later, name) is None:
            raise InputError(
                f"the pairs of data set '{data.name}' have a {name}, those of '{new.name}' have none; name its column "
                f"with {name}="
            )
        columns[name] = getattr(later, name)
    unknown = ~np.isin(columns["user"] * size[1] + columns["item"], old.user * size[1] + old.item)
    joined: dict[str, Any] = {
        name: None if getattr(old, name) is None else np.concatenate([getattr(old, name), column[unknown]])
        for name, column in columns.items()
    }
    return Interactions(**joined, n_users=size[0], n_items=size[1]), int(unknown.sum())


def _padded(data: Dataset, name: str, n_items: int, rows: Rows | None) -> Features:
    """A feature matrix with rows for the new items: those that are given, and missing ones."""
    stored = data.features(name)
    matrix = np.zeros((n_items, stored.width), dtype=np.float32)
    present = np.zeros(n_items, dtype=np.bool_)
    old = len(stored.matrix)
    matrix[:old], present[:old] = stored.matrix, stored.present
    if rows is not None:
        matrix[old : old + len(rows[0])], present[old : old + len(rows[0])] = rows
    return Features(name, matrix, present, stored.meta)
