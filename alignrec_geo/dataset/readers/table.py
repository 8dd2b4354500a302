"""Any table of interactions, with item metadata, images and feature files beside it."""

from dataclasses import replace
from pathlib import Path

import polars as pl
from pydantic import Field

from alignrec_geo.dataset.build import Tables, build_dataset
from alignrec_geo.dataset.filters import FilterConfig
from alignrec_geo.dataset.images import ImageSource
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.dataset.readers.columns import SKIP, id_column, rating_column, split_column, with_ids
from alignrec_geo.dataset.readers.feature_files import ItemIds, add_feature_files
from alignrec_geo.dataset.readers.items import read_items
from alignrec_geo.dataset.readers.matching import check_any_match, match_note
from alignrec_geo.dataset.readers.table_files import Table, TextLayout, read_table_file
from alignrec_geo.dataset.readers.times import time_column
from alignrec_geo.dataset.splits import SplitConfig
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.settings import Settings


class TableConfig(Settings):
    """Where the interactions and the content of the items are, and how to read them."""

    interactions: Path
    """CSV, TSV, Parquet or JSON lines; text also gzipped."""
    name: str | None = None
    """Name of the data set; the name of the file if not given."""
    user: str = "user"
    """Column of the user id."""
    item: str = "item"
    """Column of the item id."""
    rating: str | None = None
    """Column of the rating."""
    timestamp: str | None = None
    """Column of the time: numbers, or ISO dates and times."""
    split: str | None = None
    """Column that says train, validation or test (or 0, 1, 2)."""
    split_unused: tuple[str, ...] = ()
    """Values of the split column whose rows belong to no split."""
    drop_unused: bool = False
    """Leave those rows out, and with them the users and items that only they have."""
    skip_empty_ids: bool = False
    """Leave out and count rows without a user or item id (guest check-outs), instead of refusing them."""
    columns: tuple[str, ...] = ()
    """Names of the columns of an interactions file without a header line."""
    separator: str | None = None
    """Separator of a text file whose suffix does not tell."""
    min_rating: float | None = None
    """Keep rows with at least this rating."""
    k_core: int = Field(default=1, ge=1)
    """Keep the part in which every user and item has at least this many rows."""
    rule: SplitConfig | None = None
    """Split rule where there is no split column; random per user with seed 0 if not given."""
    items: Path | None = None
    """Item metadata, in the same formats."""
    item_id: str | None = None
    """Column of the item id in ``items`` (and in feature tables); the same as ``item`` if not given."""
    title: str | None = None
    """Column of the title in ``items``."""
    text: tuple[str, ...] = ()
    """Columns of the text in ``items``; dotted paths reach into nested fields."""
    all_items: bool = False
    """Keep the items of ``items`` that nobody interacted with."""
    images: Path | None = None
    """Folder or tar of images called ITEM-ID.jpg."""
    features: dict[str, Path] = Field(default_factory=dict)
    """Feature matrix files by name."""
    feature_ids: dict[str, Path] = Field(default_factory=dict)
    """Files with the item ids of the rows of those matrices, by the same names."""


def read_table(config: TableConfig) -> Dataset:
    """Read a table of interactions and everything beside it.

    Raises:
        InputError: options that contradict each other, or a file that cannot be used; the message names file
            and row.
    """
    _check_options(config)
    images = None if config.images is None else ImageSource(config.images)
    frame, notes = _interactions(config)
    items: pl.DataFrame | None = None
    item_id = config.item_id or config.item
    if config.items is not None:
        items, said = read_items(config.items, item_id, config.title, config.text, skip_empty_ids=config.skip_empty_ids)
        check_any_match(frame["item"], items["id"], str(config.items))
        notes += said
    dataset = build_dataset(
        config.name or dataset_name(config.interactions),
        Tables(interactions=frame, items=items, keep_items=config.all_items, images=images),
        SplitConfig(rule="given") if config.split else config.rule or SplitConfig(),
        FilterConfig(min_rating=config.min_rating, k_core=config.k_core),
        source={"format": "table", "file": config.interactions.name},
        notes=notes,
    )
    if items is not None:
        note = match_note(dataset.items["id"], items["id"], str(config.items))
        dataset = replace(dataset, notes=[*dataset.notes, note])
    known = frame["item"] if items is None else pl.concat([frame["item"], items["id"].rename("item")])
    ids = ItemIds(
        known=known.unique(),
        listed=None if items is None else items["id"],
        columns=tuple(dict.fromkeys((item_id, config.item))),
    )
    return add_feature_files(dataset, ids, config.features, config.feature_ids)


def interaction_columns(
    table: Table,
    user: str,
    item: str,
    rating: str | None = None,
    timestamp: str | None = None,
    split: str | None = None,
    split_unused: tuple[str, ...] = (),
    skip_empty_ids: bool = False,
) -> tuple[pl.DataFrame, list[str]]:
    """The named columns as ``user``, ``item`` and, where given, ``split``, ``timestamp``, ``rating``, and notes.

    Raises:
        InputError: a column is not there, or a row holds what it cannot hold.
    """
    table, notes = with_ids(table, user, item) if skip_empty_ids else (table, [])
    columns = {"user": id_column(table, user, SKIP), "item": id_column(table, item, SKIP)}
    if split is not None:
        columns["split"] = split_column(table, split, split_unused)
    if timestamp is not None:
        columns["timestamp"] = time_column(table, timestamp)
    if rating is not None:
        columns["rating"] = rating_column(table, rating)
    return pl.DataFrame(columns), notes


def dataset_name(file: Path) -> str:
    """The name of a file without its suffixes.

    Example:
        >>> dataset_name(Path("shop/clicks.csv.gz"))
        'clicks'
    """
    stem = file.name.removesuffix(".gz")
    return stem.rsplit(".", 1)[0] or stem


def _check_options(config: TableConfig) -> None:
    if config.split is None and (config.split_unused or config.drop_unused):
        raise InputError("split_unused= and drop_unused= need a split column; name it with split=")
    if config.split is not None and config.rule is not None and config.rule.rule != "given":
        raise InputError(f"split='{config.split}' and rule='{config.rule.rule}' contradict each other; give one")
    if config.split is None and config.rule is not None and config.rule.rule == "given":
        raise InputError("split rule 'given' needs a split column; name it with split=")
    if config.items is None:
        asked = [name for name in ("title", "text", "all_items") if getattr(config, name)]
        if asked:
            raise InputError(f"{asked[0]}= needs a file of items; name it with items=")


def _interactions(config: TableConfig) -> tuple[pl.DataFrame, list[str]]:
    named = (config.user, config.item, config.rating, config.timestamp, config.split)
    layout = TextLayout(separator=config.separator, columns=config.columns, option="separator=")
    table = read_table_file(config.interactions, [name for name in named if name is not None], layout)
    frame, notes = interaction_columns(
        table,
        config.user,
        config.item,
        config.rating,
        config.timestamp,
        config.split,
        config.split_unused,
        config.skip_empty_ids,
    )
    return frame.filter(pl.col("split") != int(Split.UNUSED)) if config.drop_unused else frame, notes
