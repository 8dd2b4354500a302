"""What lies beside a table of interactions: item metadata, images and feature files."""

from dataclasses import dataclass, replace

import polars as pl

from alignrec_geo.dataset.images import ImageSource
from alignrec_geo.dataset.readers.feature_files import ItemIds, add_feature_files
from alignrec_geo.dataset.readers.items import read_items
from alignrec_geo.dataset.readers.matching import check_any_match, match_note
from alignrec_geo.dataset.readers.named_images import named_images
from alignrec_geo.dataset.readers.table_config import TableConfig
from alignrec_geo.dataset.store import Dataset


@dataclass(frozen=True)
class Beside:
    """What is told of items.

    Args:
        config: where it is.
        interacted: external ids of the items that have an interaction, in the order in which they first come.
        items: their metadata, if there is a file of it.
        images: their images, if there are any.
        notes: what could not be used.
    """

    config: TableConfig
    interacted: pl.Series
    items: pl.DataFrame | None
    images: ImageSource | None
    notes: list[str]

    def put_on(self, dataset: Dataset) -> Dataset:
        """The data set with feature files, and with notes on how many items they and the metadata describe.

        Raises:
            InputError: a feature file cannot be used.
        """
        config, known = self.config, self.interacted
        if self.items is not None:
            ids = self.items["id"]
            dataset = replace(dataset, notes=[*dataset.notes, match_note(dataset.items["id"], ids, str(config.items))])
            known = pl.concat([known, ids.rename(known.name)])
        names = ItemIds(
            known=known.unique(),
            listed=None if self.items is None else self.items["id"],
            columns=tuple(dict.fromkeys((config.item_id or config.item, config.item))),
        )
        return add_feature_files(dataset, names, config.features, config.feature_ids, config.text_layout())


def read_beside(config: TableConfig, interacted: pl.Series) -> Beside:
    """Read item metadata and find images.

    Args:
        config: where they are.
        interacted: see :class:`Beside`; ids may come again.

    Raises:
        InputError: a file cannot be used, or describes no item of the interactions.
    """
    images = None if config.images is None else ImageSource(config.images)
    interacted = interacted.unique(maintain_order=True)
    if config.items is None:
        return Beside(config, interacted, None, images, [])
    described, notes = read_items(config.items, config.item_columns_read(), config.text_layout())
    items = described.frame.drop("image")
    check_any_match(interacted, items["id"], str(config.items))
    if config.image is not None:
        images = named_images(described, config.image, config.images, config.items)
    return Beside(config, interacted, items, images, notes)
