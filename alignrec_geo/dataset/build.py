"""From tables with external ids to a :class:`Dataset`: one place for row numbers, duplicates and splits."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alignrec_geo.dataset.features import Features
from alignrec_geo.dataset.filters import FilterConfig, at_least_rated, k_core
from alignrec_geo.dataset.images import ImageSource
from alignrec_geo.dataset.interactions import Interactions, Split, Times
from alignrec_geo.dataset.splits import SplitConfig, make_split
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError

ITEM_COLUMNS = {"id": pl.String, "title": pl.String, "text": pl.String, "image": pl.String}


@dataclass(frozen=True)
class Tables:
    """What a reader hands over, all ids external and text.

    Args:
        interactions: columns ``user``, ``item`` (text) and optionally ``split`` (:class:`Split` as int8),
            ``timestamp`` (int64 or float64), ``rating`` and ``weight`` (float32).
        items: columns ``id``, optionally ``title``, ``text``, and any others to keep; ``None`` without metadata.
        users: external ids to keep although they have no pair (a published numbering); ``None``: those that have one.
        keep_items: keep the items of ``items`` that have no pair (cold items).
        images: images named by external item id.
    """

    interactions: pl.DataFrame
    items: pl.DataFrame | None = None
    users: pl.Series | None = None
    keep_items: bool = False
    images: ImageSource | None = None


def build_dataset(
    name: str,
    tables: Tables,
    split: SplitConfig,
    filters: FilterConfig | None = None,
    source: dict[str, str] | None = None,
    notes: Iterable[str] = (),
) -> Dataset:
    """Filter by rating, merge duplicates, take the k-core, number users and items, split.

    Duplicate pairs become one: the one of the earliest split (train before validation before test), then of the
    earliest time, then of the earliest row. Its weight is the sum of the weights of its rows of that split. Users and
    items are numbered in the order of their ids: as numbers if all are whole numbers, else as text.

    Raises:
        InputError: no interactions (left), or an empty training split.
    """
    said = list(notes)
    frame = tables.interactions
    chosen = filters or FilterConfig()
    check_any(name, frame.height)
    kept, dropped = _filtered(frame, chosen)
    said += dropped
    check_any(name, kept.height, chosen)
    items = item_table(kept["item"].unique(), tables.items, tables.keep_items)
    users = sorted_ids(kept["user"].unique() if tables.users is None else tables.users)
    interactions = _number(kept, users, items["id"])
    interactions = interactions.with_split(make_split(interactions, split))
    check_training(name, int((interactions.split == Split.TRAIN).sum()), len(interactions), split)
    return Dataset(
        name=name,
        interactions=interactions,
        users=pl.DataFrame({"id": users}),
        items=items,
        split_config=split,
        source=source or {},
        notes=said,
        images=tables.images,
    )


def check_any(name: str, count: int, filters: FilterConfig | None = None) -> None:
    """Refuse a data set without interactions, after filtering if ``filters`` is given.

    Raises:
        InputError: there are none.
    """
    if not count:
        left = "" if filters is None else f" left after filtering ({filters})"
        raise InputError(f"data set '{name}' has no interactions{left}")


def check_training(name: str, train: int, count: int, split: SplitConfig) -> None:
    """Refuse a data set of which nothing is for training.

    Raises:
        InputError: nothing is.
    """
    if not train:
        raise InputError(f"data set '{name}' has an empty training split ({count} pairs, rule '{split.rule}')")


def filter_notes(filters: FilterConfig, rated: int, merged: int, core: int, weighted: bool) -> list[str]:
    """What filters and merging left out.

    Args:
        filters: that were applied.
        rated: rows below the minimum rating.
        merged: rows that were merged into others.
        core: rows outside the k-core.
        weighted: whether weights were added up.
    """
    notes = []
    if filters.min_rating is not None:
        notes.append(f"{rated} rows with a rating below {filters.min_rating} were left out")
    if merged:
        added = " and their weights added up" if weighted else ""
        notes.append(f"{merged} duplicate rows of a user-item pair were merged{added}")
    if filters.k_core > 1:
        notes.append(f"{core} rows outside the {filters.k_core}-core were left out")
    return notes


def features_by_id(
    name: str, matrix: NDArray[Any], ids: Iterable[str], dataset: Dataset, meta: dict[str, str]
) -> Features:
    """Bring a matrix whose rows are named by item id into the row order of ``dataset``; other items lack the modality.

    Raises:
        InputError: an id is given twice or is unknown to the data set, or the counts differ.
    """
    named = pl.Series(list(ids), dtype=pl.String)
    if len(named) != len(matrix):
        raise InputError(f"features '{name}' have {len(matrix)} rows and {len(named)} ids")
    if named.n_unique() < len(named):
        twice = named.filter(named.is_duplicated())[0]
        raise InputError(f"features '{name}' give item '{twice}' twice")
    try:
        rows = dataset.item_rows(named.to_list())
    except InputError as error:
        raise InputError(f"features '{name}': {error}") from None
    n_items = dataset.interactions.n_items
    placed = np.zeros((n_items, matrix.shape[1]), dtype=np.float32)
    present = np.zeros(n_items, dtype=np.bool_)
    placed[rows], present[rows] = matrix, True
    return Features(name=name, matrix=placed, present=present, meta=meta)


def _filtered(frame: pl.DataFrame, filters: FilterConfig) -> tuple[pl.DataFrame, list[str]]:
    """Filters and merging in the order in which none undoes another, and what each left out."""
    rated = frame if filters.min_rating is None else at_least_rated(frame, filters.min_rating)
    merged = _merge_duplicates(rated)
    core = merged if filters.k_core == 1 else k_core(merged, filters.k_core)
    left_out = (frame.height - rated.height, rated.height - merged.height, merged.height - core.height)
    return core, filter_notes(filters, *left_out, weighted="weight" in frame.columns)


def _merge_duplicates(frame: pl.DataFrame) -> pl.DataFrame:
    order: list[str] = [column for column in ("split", "timestamp") if column in frame.columns]
    ranked = frame.with_row_index("_row")
    if "weight" in frame.columns:  # what is held out adds nothing to what is trained on
        one = [name for name in ("user", "item", "split") if name in frame.columns]
        ranked = ranked.with_columns(pl.col("weight").cast(pl.Float64).sum().over(one).cast(pl.Float32))
    if "split" in order:  # unused rows last
        ranked = ranked.with_columns(pl.col("split").replace(int(Split.UNUSED), 127).alias("_split"))
        order[0] = "_split"
    return (
        ranked.sort([*order, "_row"])
        .unique(["user", "item"], keep="first", maintain_order=True)
        .sort("_row")
        .select(frame.columns)
    )


def item_table(interacted: pl.Series, items: pl.DataFrame | None, keep_all: bool) -> pl.DataFrame:
    """The items of a data set.

    Args:
        interacted: external ids of those that have a pair, all different.
        items: what is told of items; see :class:`Tables`.
        keep_all: keep also those of ``items`` that have none.
    """
    described = items if items is not None else pl.DataFrame({"id": interacted})
    ids = pl.concat([interacted.rename("id"), described["id"]]).unique() if keep_all else interacted
    table = pl.DataFrame({"id": sorted_ids(ids)}).join(
        described.unique("id", keep="first"), on="id", how="left", maintain_order="left"
    )
    missing = [pl.lit(None, dtype=kind).alias(name) for name, kind in ITEM_COLUMNS.items() if name not in table.columns]
    kept = [name for name in described.columns if name not in ITEM_COLUMNS]
    return table.with_columns(missing).select([*ITEM_COLUMNS, *kept])


def sorted_ids(ids: pl.Series) -> pl.Series:
    """Ids in the order in which rows are numbered: as numbers if all are whole numbers, else as text.

    Example:
        >>> sorted_ids(pl.Series(["10", "9"])).to_list(), sorted_ids(pl.Series(["10", "9", "x"])).to_list()
        (['9', '10'], ['10', '9', 'x'])
    """
    numbers = ids.cast(pl.Int64, strict=False)
    plain = numbers.null_count() == 0 and (numbers.cast(pl.String) == ids).all()
    frame = pl.DataFrame({"id": ids, "number": numbers})
    return frame.sort("number" if plain else "id")["id"]


def _number(frame: pl.DataFrame, users: pl.Series, items: pl.Series) -> Interactions:
    numbered = frame.join(
        pl.DataFrame({"user": users}).with_row_index("user_row"), on="user", how="left", maintain_order="left"
    ).join(pl.DataFrame({"item": items}).with_row_index("item_row"), on="item", how="left", maintain_order="left")
    has = numbered.columns
    return Interactions(
        user=numbered["user_row"].to_numpy().astype(np.int64),
        item=numbered["item_row"].to_numpy().astype(np.int64),
        split=(
            numbered["split"].to_numpy().astype(np.int8) if "split" in has else np.zeros(numbered.height, dtype=np.int8)
        ),
        n_users=len(users),
        n_items=len(items),
        timestamp=_times(numbered["timestamp"]) if "timestamp" in has else None,
        rating=numbered["rating"].to_numpy().astype(np.float32) if "rating" in has else None,
        weight=numbered["weight"].to_numpy().astype(np.float32) if "weight" in has else None,
    )


def _times(values: pl.Series) -> Times:
    numbers = values.to_numpy()
    return numbers.astype(np.int64) if values.dtype.is_integer() else numbers.astype(np.float64)
