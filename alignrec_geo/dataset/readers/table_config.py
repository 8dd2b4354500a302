"""Where a table of interactions is, what lies beside it, and how both are read."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import Field

from alignrec_geo.dataset.filters import FilterConfig
from alignrec_geo.dataset.readers.delimited import TextLayout
from alignrec_geo.dataset.readers.html_text import text_source
from alignrec_geo.dataset.readers.items import ItemColumns
from alignrec_geo.dataset.readers.pairs import PairColumns
from alignrec_geo.dataset.readers.table_sets import table_label
from alignrec_geo.dataset.splits import SplitConfig
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

    def text_layout(self) -> TextLayout:
        """The layout of text files beside the interactions."""
        return TextLayout(encoding=self.encoding, decimal=self.decimal, skip_bad_rows=self.skip_bad_rows, options=True)

    def interactions_layout(self) -> TextLayout:
        """The layout of the interactions."""
        return replace(self.text_layout(), separator=self.separator, columns=self.columns)

    def pair_columns(self) -> PairColumns:
        """What the interactions hold."""
        same = ("user", "item", "rating", "timestamp", "split", "split_unused", "weight", "skip_empty_ids")
        return PairColumns(
            **{name: getattr(self, name) for name in same},
            skip_bad_rows=self.skip_bad_rows,
            strip_ids=self.strip_ids,
        )

    def item_columns_read(self) -> ItemColumns:
        """What the file of items holds."""
        same = ("title", "text", "image", "item_columns", "keep_html", "skip_empty_ids", "skip_bad_rows", "strip_ids")
        return ItemColumns(self.item_id or self.item, **{name: getattr(self, name) for name in same})

    def split_rule(self) -> SplitConfig:
        """The rule by which the interactions are split."""
        return SplitConfig(rule="given") if self.split else self.rule or SplitConfig()

    def filters(self) -> FilterConfig:
        """The filters on interactions."""
        return FilterConfig(min_rating=self.min_rating, k_core=self.k_core)

    def source(self, whole: dict[str, str]) -> dict[str, str]:
        """What a data set says of where it comes from.

        Args:
            whole: of the type of its ids, see :func:`~alignrec_geo.dataset.ids.whole_ids`.
        """
        text = text_source(self.items is not None and not self.keep_html)
        return {"format": "table", "file": Path(table_label(self.interactions)).name, **whole, **text}


def check_options(config: TableConfig) -> None:
    """Refuse options that contradict each other, before anything is read.

    Raises:
        InputError: there are such.
    """
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
