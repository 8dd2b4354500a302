"""What the tables of a data set must hold; checked whenever a folder is opened."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from alignrec_geo.dataset.interactions import Interactions, Split
from alignrec_geo.errors import InputError

TEXTS = {"users": (), "items": ("title", "text", "image")}
"""Columns of text beside ``id``, which may be null."""
_IMAGE = re.compile(r"images/(?!\.\.?(/|$))[^/\x00]+(/(?!\.\.?(/|$))[^/\x00]+)*", re.DOTALL)


def read_interactions(pairs: pl.DataFrame, n_users: int, n_items: int, file: Path) -> Interactions:
    """Check the table of interactions and return its columns.

    Args:
        pairs: ``user``, ``item`` and ``split``, integers without null; ``timestamp``, ``rating``, ``weight`` if any.
        n_users: rows of the table of users.
        n_items: rows of the table of items.
        file: named in errors.

    Raises:
        InputError: names file and column: missing, of another type, with nulls, or out of range; or a pair comes twice.
    """
    for name, bound in (("user", n_users), ("item", n_items)):
        _integers(pairs, name, 0, bound - 1, file)
    _integers(pairs, "split", int(min(Split)), int(max(Split)), file)
    optional: dict[str, Any] = {}
    if "timestamp" in pairs.columns:
        _numbers(pairs, "timestamp", file)
        whole = pairs["timestamp"].dtype.is_integer()
        optional["timestamp"] = pairs["timestamp"].to_numpy().astype(np.int64 if whole else np.float64)
    for name in ("rating", "weight"):
        if name in pairs.columns:
            _numbers(pairs, name, file)
            optional[name] = pairs[name].to_numpy().astype(np.float32)
    try:
        return Interactions(
            user=pairs["user"].to_numpy().astype(np.int64),
            item=pairs["item"].to_numpy().astype(np.int64),
            split=pairs["split"].to_numpy().astype(np.int8),
            n_users=n_users,
            n_items=n_items,
            **optional,
        )
    except InputError as error:
        raise InputError(f"{file}: {error}") from None


def check_ids(table: pl.DataFrame, kind: str, file: Path) -> None:
    """Check the table of users or items: ``id`` is text, unique and never null or blank; other texts may be null.

    Args:
        table: the table.
        kind: ``users`` or ``items``.
        file: named in errors.

    Raises:
        InputError: names file and column; or an image's path leads out of the folder.
    """
    for name in ("id", *TEXTS[kind]):
        column = _column(table, name, file)
        if column.dtype != pl.String:
            raise InputError(f"{file}: column '{name}' must be text (got {column.dtype})")
    ids = table["id"]
    if ids.null_count():
        raise InputError(f"{file}: column 'id' has {ids.null_count()} nulls (first: row {_first(ids.is_null())})")
    blank = ids.str.strip_chars() == ""
    if blank.any():
        raise InputError(f"{file}: column 'id' has {blank.sum()} blanks (first: row {_first(blank)})")
    if ids.n_unique() < len(ids):
        raise InputError(f"{file}: column 'id' has '{ids.filter(ids.is_duplicated())[0]}' twice")
    for row, name in enumerate(table["image"].to_list() if kind == "items" else []):
        if name is not None and not _IMAGE.fullmatch(name):
            raise InputError(f"{file}: column 'image', row {row}: must be a path in images/ (got {name!r})")


def stored_image_path(name: str) -> str:
    """Return the path of a stored image, if it is one.

    Raises:
        InputError: it leads out of the folder of images.
    """
    if not _IMAGE.fullmatch(name):
        raise InputError(f"the path of a stored image must lie in images/ (got {name!r})")
    return name


def check_counts(counts: Mapping[str, int], said: Mapping[str, int], file: Path) -> None:
    """Check what the manifest says of the tables.

    Args:
        counts: of the tables.
        said: of the manifest.
        file: the manifest.

    Raises:
        InputError: a count differs.
    """
    for name, count in counts.items():
        if said.get(name) != count:
            raise InputError(f"{file}: counts.{name} is {said.get(name)}, the tables hold {count}")


def _column(table: pl.DataFrame, name: str, file: Path) -> pl.Series:
    if name not in table.columns:
        raise InputError(f"{file}: has no column '{name}' (got {', '.join(table.columns) or 'no columns'})")
    return table[name]


def _numbers(table: pl.DataFrame, name: str, file: Path, integer: bool = False) -> pl.Series:
    column = _column(table, name, file)
    fits = column.dtype.is_integer() or (not integer and column.dtype.is_float())
    if not fits:
        raise InputError(f"{file}: column '{name}' must be {'integers' if integer else 'numbers'} (got {column.dtype})")
    bad = column.is_null() if column.dtype.is_integer() else column.is_null() | column.is_nan()
    if bad.any():
        raise InputError(f"{file}: column '{name}' has {int(bad.sum())} nulls or NaN (first: row {_first(bad)})")
    return column


def _integers(table: pl.DataFrame, name: str, low: int, high: int, file: Path) -> None:
    column = _numbers(table, name, file, integer=True)
    out = (column < low) | (column > high)
    if out.any():
        row = _first(out)
        raise InputError(f"{file}: column '{name}', row {row}: must lie in {low}..{high} (got {column[row]})")


def _first(flags: pl.Series) -> int:
    return int(flags.arg_max() or 0)
