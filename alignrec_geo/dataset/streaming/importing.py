"""From a table of interactions that does not fit into memory to a data set folder."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from alignrec_geo.dataset.build import check_any, check_training
from alignrec_geo.dataset.filters import check_rated
from alignrec_geo.dataset.ids import whole_ids
from alignrec_geo.dataset.images import ImageSource
from alignrec_geo.dataset.interactions import EVALUATED, OPTIONAL, Interactions, Split
from alignrec_geo.dataset.manifest import DATA_SET
from alignrec_geo.dataset.readers.table_beside import read_beside
from alignrec_geo.dataset.readers.table_chunks import ChunkedTable
from alignrec_geo.dataset.readers.table_config import TableConfig, check_options
from alignrec_geo.dataset.readers.table_sets import table_name
from alignrec_geo.dataset.splits import SplitConfig
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.dataset.streaming.database import open_database
from alignrec_geo.dataset.streaming.memory import check_split_fits, parse_memory
from alignrec_geo.dataset.streaming.merging import Numbered, code_ids, ids_of, number_rows, written_ids
from alignrec_geo.dataset.streaming.splitting import LOOKED_AT, write_split
from alignrec_geo.dataset.streaming.staged import stage
from alignrec_geo.dataset.write import write_folder
from alignrec_geo.errors import InputError
from alignrec_geo.folders import new_folder
from alignrec_geo.reading import as_path
from alignrec_geo.staging import delete

SPILL = "spill"
"""Folder in that of the data set, while it is made."""

Progress = Callable[[str, int], object]
"""Called with what is done and how many rows are read."""


@dataclass(frozen=True)
class Imported:
    """A data set that was written, and not read back.

    Args:
        path: its folder.
        name: of the data set.
        counts: users, items, interactions and the size of each split.
        notes: what the import changed or could not use.
    """

    path: Path
    name: str
    counts: dict[str, int]
    notes: list[str]


def import_table(
    config: TableConfig,
    out: str | os.PathLike[str],
    memory: str = "4GB",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Imported:
    """Import a table of interactions of any size within a stated memory.

    The data set is that of ``read_table(config).save(out)``: the same rows in the same order, notes and errors. Parquet
    and delimited text is read in parts; what does not fit is put into a folder beside the new one, which is deleted on
    every way out. What lies beside the interactions (items, features, images) is read whole.

    Args:
        config: what to read, and how.
        out: the folder.
        memory: what the process may take, such as ``4GB``.
        overwrite: replace a data set that is there.
        progress: called now and then.

    Raises:
        InputError: see :func:`~alignrec_geo.dataset.readers.table.read_table`; JSON lines; a memory that is too little;
            DuckDB (``alignrec-geo[stream]``) is not installed.

    Example:
        >>> import_table(TableConfig(interactions="clicks/*.parquet"), "shop", memory="4GB")  # doctest: +SKIP
    """
    limit, target, rule = parse_memory(memory), as_path(out), config.split_rule()
    _check(config, rule)
    sources = [config.interactions] if isinstance(config.interactions, Path) else list(config.interactions)
    inputs = [*sources, config.items, config.images, *config.features.values(), *config.feature_ids.values()]
    with new_folder(target, DATA_SET, overwrite, inputs) as made:
        with _spill(made.path) as spill:
            data, numbered = _numbered(config, rule, spill, limit, progress)
            check_split_fits(limit, numbered.rows, rule.rule)
            _say(progress, "splitting", numbered.rows)
            sizes = write_split(numbered, rule, made.path / "interactions.parquet")
        by_split = {split.label: int(sizes[split + 1]) for split in Split}
        check_training(data.name, by_split["train"], numbered.rows, rule)
        counts = {"users": len(numbered.users), "items": numbered.items.height, "interactions": numbered.rows}
        evaluated = {split.label: by_split[split.label] for split in EVALUATED}
        manifest = write_folder(data, made.path, counts={**counts, **evaluated})
        made.settle()
    return Imported(target, data.name, {**counts, **by_split}, manifest.notes)


def _check(config: TableConfig, rule: SplitConfig) -> None:
    """Refuse what cannot be, before anything is read."""
    check_options(config)
    if config.min_rating is not None:
        check_rated(config.min_rating, ["rating"] if config.rating else [])
    if "timestamp" in LOOKED_AT[rule.rule] and config.timestamp is None:
        raise InputError(f"split rule '{rule.rule}' needs timestamps and this data set has none")
    if config.images is not None:
        ImageSource(config.images)


def _numbered(
    config: TableConfig, rule: SplitConfig, spill: Path, memory: int, progress: Progress | None
) -> tuple[Dataset, Numbered]:
    """The data set without its interactions, and these in a file of the spill folder."""
    columns, name = config.pair_columns(), config.name or table_name(config.interactions)
    chunks = ChunkedTable(config.interactions, columns.names(), config.interactions_layout())
    with open_database(spill, memory) as database:
        staged = stage(chunks, columns, database, lambda rows: _say(progress, "reading", rows))
        check_any(name, staged.facts.rows)
        _say(progress, "merging", staged.facts.rows)
        notes = staged.facts.said(chunks.label, columns, written_ids(database, staged))
        code_ids(database, config.drop_unused)
        beside = read_beside(config, ids_of(database, "item"))
        told = ["split"] * bool(config.split) + [column for column in OPTIONAL if getattr(config, column)]
        items = (beside.items, config.all_items)
        numbered = number_rows(database, name, config.filters(), told, items, spill / "numbered.parquet")
    nothing = np.empty(0, dtype=np.int64)
    data = Dataset(
        name=name,
        interactions=Interactions(
            nothing, nothing, nothing.astype(np.int8), len(numbered.users), numbered.items.height
        ),
        users=pl.DataFrame({"id": numbered.users}),
        items=numbered.items,
        split_config=rule,
        source=config.source(whole_ids(staged.whole["user"], staged.whole["item"])),
        notes=[*notes, *beside.notes, *numbered.notes],
        images=beside.images,
    )
    return beside.put_on(data), numbered


@contextmanager
def _spill(folder: Path) -> Iterator[Path]:
    """A folder for the database, which is gone when the block ends."""
    spill = folder / SPILL
    spill.mkdir()
    try:
        yield spill
    finally:
        delete(spill)


def _say(progress: Progress | None, what: str, rows: int) -> None:
    if progress is not None:
        progress(what, rows)
