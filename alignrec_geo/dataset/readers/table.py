"""Any table of interactions, with item metadata, images and feature files beside it."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import polars as pl
from pydantic import Field

from alignrec_geo.dataset.build import Tables, build_dataset
from alignrec_geo.dataset.filters import FilterConfig
from alignrec_geo.dataset.ids import whole_ids
from alignrec_geo.dataset.images import ImageSource
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.dataset.readers.feature_files import ItemIds, add_feature_files
from alignrec_geo.dataset.readers.html_text import text_source
from alignrec_geo.dataset.readers.items import ItemColumns, read_items
from alignrec_geo.dataset.readers.matching import check_any_match, match_note
from alignrec_geo.dataset.readers.named_images import named_images
from alignrec_geo.dataset.readers.pairs import PairColumns, interaction_columns
from alignrec_geo.dataset.readers.table_files import TextLayout
from alignrec_geo.dataset.readers.table_sets import read_table_set, table_label, table_name
from alignrec_geo.dataset.splits import SplitConfig
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.settings import Settings


class TableConfig(Settings):
    """Where the interactions and the content of the items are, and how to read them."""

    interactions: Path | tuple[Path, ...]
    """CSV, TSV, Parquet or JSON lines, text also gzipped: a file, several, a pattern (``clicks/*.csv``), a folder."""
    name: str | None = None
    """Name of the data set; that of the file or folder of interactions if not given."""
    user: str = "user"
    """Column of the user id."""
    item: str = "item"
    """Column of the item id."""
    rating: str | None = None
    """Column of the rating."""
    weight: str | None = None
    """Column of the weight of a row in training, above 0; those of duplicate rows are added up."""
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
    skip_bad_rows: bool = False
    """Leave out and count every row that cannot be used, of the interactions and of the items."""
    strip_ids: bool = False
    """Take off the spaces around ids; otherwise they are kept, and noted."""
    columns: tuple[str, ...] = ()
    """Names of the columns of an interactions file without a header line."""
    separator: str | None = None
    """Separator of the interactions in text; taken from the suffix and the first lines if not given."""
    encoding: str = "utf-8"
    """Encoding of all text files."""
    decimal: Literal[".", ","] = "."
    """Decimal mark of numbers in all text files."""
    min_rating: float | None = None
    """Keep rows with at least this rating."""
    k_core: int = Field(default=1, ge=1)
    """Keep the part in which every user and item has at least this many rows."""
    rule: SplitConfig | None = None
    """Split rule where there is no split column; random per user with seed 0 if not given."""
    items: Path | None = None
    """Item metadata, likewise."""
    item_id: str | None = None
    """Column of the item id in ``items`` (and in feature tables); the same as ``item`` if not given."""
    title: str | None = None
    """Column of the title in ``items``."""
    text: tuple[str, ...] = ()
    """Columns of the text in ``items``; dotted paths reach into nested fields."""
    keep_html: bool = False
    """Leave HTML in titles and texts; otherwise its tags are taken out."""
    image: str | None = None
    """Column of ``items`` with the path of the image in ``images``, or beside the file of ``items``."""
    item_columns: tuple[str, ...] = ()
    """Further columns of ``items`` to keep, for conditions on what is recommended."""
    all_items: bool = False
    """Keep the items of ``items`` that nobody interacted with."""
    images: Path | None = None
    """Folder or archive of images called ITEM-ID.jpg, or as the column ``image`` says."""
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
    layout = TextLayout(
        encoding=config.encoding, decimal=config.decimal, skip_bad_rows=config.skip_bad_rows, options=True
    )
    images = None if config.images is None else ImageSource(config.images)
    frame, notes, whole = _interactions(config, layout)
    items: pl.DataFrame | None = None
    item_id, label = config.item_id or config.item, str(config.items)
    if config.items is not None:
        described, said = read_items(config.items, _item_columns(config, item_id), layout)
        items = described.frame.drop("image")
        check_any_match(frame["item"], items["id"], label)
        notes += said
        if config.image is not None:
            images = named_images(described, config.image, config.images, config.items)
    dataset = build_dataset(
        config.name or table_name(config.interactions),
        Tables(interactions=frame, items=items, keep_items=config.all_items, images=images),
        SplitConfig(rule="given") if config.split else config.rule or SplitConfig(),
        FilterConfig(min_rating=config.min_rating, k_core=config.k_core),
        source={
            "format": "table",
            "file": Path(table_label(config.interactions)).name,
            **whole,
            **text_source(items is not None and not config.keep_html),
        },
        notes=notes,
    )
    if items is not None:
        dataset = replace(dataset, notes=[*dataset.notes, match_note(dataset.items["id"], items["id"], label)])
    known = frame["item"] if items is None else pl.concat([frame["item"], items["id"].rename("item")])
    ids = ItemIds(
        known=known.unique(),
        listed=None if items is None else items["id"],
        columns=tuple(dict.fromkeys((item_id, config.item))),
    )
    return add_feature_files(dataset, ids, config.features, config.feature_ids, layout)


def _check_options(config: TableConfig) -> None:
    if config.split is None and (config.split_unused or config.drop_unused):
        raise InputError("split_unused= and drop_unused= need a split column; name it with split=")
    if config.split is not None and config.rule is not None and config.rule.rule != "given":
        raise InputError(f"split='{config.split}' and rule='{config.rule.rule}' contradict each other; give one")
    if config.split is None and config.rule is not None and config.rule.rule == "given":
        raise InputError("split rule 'given' needs a split column; name it with split=")
    if config.items is None:
        asked = [
            name
            for name in ("title", "text", "image", "keep_html", "item_columns", "all_items")
            if getattr(config, name)
        ]
        if asked:
            raise InputError(f"{asked[0]}= needs a file of items; name it with items=")


def _item_columns(config: TableConfig, item_id: str) -> ItemColumns:
    same = ("title", "text", "image", "item_columns", "keep_html", "skip_empty_ids", "skip_bad_rows", "strip_ids")
    return ItemColumns(item_id, **{name: getattr(config, name) for name in same})


def _interactions(config: TableConfig, layout: TextLayout) -> tuple[pl.DataFrame, list[str], dict[str, str]]:
    """The interactions, notes, and what the data set says of the type of their ids."""
    same = ("user", "item", "rating", "timestamp", "split", "split_unused", "weight", "skip_empty_ids")
    columns = PairColumns(
        **{name: getattr(config, name) for name in same},
        skip_bad_rows=config.skip_bad_rows,
        strip_ids=config.strip_ids,
    )
    own = replace(layout, separator=config.separator, columns=config.columns)
    table = read_table_set(config.interactions, columns.names(), own)
    whole = whole_ids(*(table.frame[name].dtype.is_integer() for name in (config.user, config.item)))
    frame, notes = interaction_columns(table, columns)
    return frame.filter(pl.col("split") != int(Split.UNUSED)) if config.drop_unused else frame, notes, whole
