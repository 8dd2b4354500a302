"""Any table of interactions, with item metadata, images and feature files beside it."""

import polars as pl

from alignrec_geo.dataset.build import Tables, build_dataset
from alignrec_geo.dataset.ids import whole_ids
from alignrec_geo.dataset.images import ImageSource
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.dataset.readers.pairs import interaction_columns
from alignrec_geo.dataset.readers.table_beside import read_beside
from alignrec_geo.dataset.readers.table_config import TableConfig, check_options
from alignrec_geo.dataset.readers.table_sets import read_table_set, table_name
from alignrec_geo.dataset.store import Dataset

__all__ = ["TableConfig", "read_table"]


def read_table(config: TableConfig) -> Dataset:
    """Read a table of interactions and everything beside it.

    Raises:
        InputError: options that contradict each other, or a file that cannot be used; the message names file
            and row.
    """
    check_options(config)
    if config.images is not None:
        ImageSource(config.images)  # refuses what cannot hold images, before the interactions are read
    frame, notes, whole = _interactions(config)
    beside = read_beside(config, frame["item"])
    dataset = build_dataset(
        config.name or table_name(config.interactions),
        Tables(interactions=frame, items=beside.items, keep_items=config.all_items, images=beside.images),
        config.split_rule(),
        config.filters(),
        source=config.source(whole),
        notes=[*notes, *beside.notes],
    )
    return beside.put_on(dataset)


def _interactions(config: TableConfig) -> tuple[pl.DataFrame, list[str], dict[str, str]]:
    """The interactions, notes, and what the data set says of the type of their ids."""
    columns = config.pair_columns()
    table = read_table_set(config.interactions, columns.names(), config.interactions_layout())
    whole = whole_ids(*(table.frame[name].dtype.is_integer() for name in (config.user, config.item)))
    frame, notes = interaction_columns(table, columns)
    return frame.filter(pl.col("split") != int(Split.UNUSED)) if config.drop_unused else frame, notes, whole
