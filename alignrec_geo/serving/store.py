"""The part of a run folder that serving needs: ``embeddings.safetensors`` and ``dataset/``."""

import os
import re
from dataclasses import replace
from pathlib import Path

import torch

from alignrec_geo.dataset.manifest import DATA_SET
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.distributed import current
from alignrec_geo.distributed.files import write_tensors
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.files import inside
from alignrec_geo.folders import FolderKind, atomic_directory
from alignrec_geo.reading import as_path
from alignrec_geo.serving.cold_store import COLD, load_cold_items
from alignrec_geo.serving.file_names import without_tables
from alignrec_geo.serving.folding import Folding
from alignrec_geo.serving.folding_store import EMBEDDINGS as EMBEDDINGS
from alignrec_geo.serving.folding_store import FOLDING, StoredFolding, save_folding
from alignrec_geo.serving.index.store import IN_RUN, open_indexes
from alignrec_geo.serving.recommend import TopItems
from alignrec_geo.staging import recover
from alignrec_geo.tensors import read_tensors

DATASET = "dataset"
WAYS = ("exact", "ann")
"""How items can be ranked."""


def save_embeddings(
    path: str | os.PathLike[str], embeddings: Embeddings, dataset: Dataset, folding: Folding | None = None
) -> None:
    """Write the tables and a copy of the data set's interactions and ids (no content) into a folder of their own.

    With ``folding``, the rule by which users are folded in, it is written too. A folder that this function wrote before
    is replaced, in one step.

    Raises:
        InputError: the folder holds anything else, a training run for example.
    """
    with atomic_directory(as_path(path), SAVED_MODEL, overwrite=True, inputs=[dataset.path]) as folder:
        dataset.save(folder / DATASET, content=False)
        write_embeddings(folder, embeddings)
        if folding is not None:
            save_folding(folder / FOLDING, folding, folder / EMBEDDINGS)


def write_embeddings(folder: Path, embeddings: Embeddings) -> None:
    """Write the two tables, atomically; on many ranks from the columns of all."""
    group, tables = current(), embeddings._asdict()
    widths = {} if group is None else {name: group.size * table.shape[1] for name, table in tables.items()}
    write_tensors(folder / EMBEDDINGS, tables, widths)


def read_embeddings(folder: Path) -> Embeddings:
    """Read the two tables of a run folder.

    Raises:
        InputError: not a run folder, or a damaged file.
    """
    file = inside(folder, EMBEDDINGS, DATASET, COLD)
    if not file.exists():
        raise without_tables(folder)
    stored, _ = read_tensors(file, needed=Embeddings._fields)
    tables = Embeddings(stored["users"], stored["items"])
    if not all(table.dim() == 2 and table.is_floating_point() for table in tables):
        found = ", ".join(f"{tuple(table.shape)} {table.dtype}" for table in tables)
        raise InputError(f"{file}: must hold two tables of numbers, users [U, D] and items [I, D] (got {found})")
    if tables.users.shape[1] != tables.items.shape[1]:
        widths = f"users' vectors {tables.users.shape[1]} numbers and items' {tables.items.shape[1]}"
        raise InputError(f"{file}: both tables must be of one width (got {widths})")
    tables = Embeddings(tables.users.float(), tables.items.float())
    if not all(table.isfinite().all() for table in tables):
        raise InputError(f"{file}: damaged: the tables hold NaN or infinity")
    return tables


def load_top_items(
    path: str | os.PathLike[str],
    include_cold: bool = False,
    device: torch.device | str = "cpu",
    index: str = "exact",
) -> TopItems:
    """Open a run folder for recommending.

    Args:
        path: the folder.
        include_cold: also read the vectors of cold items that ``alignrec-geo embed`` left in it.
        device: where the tables are kept and items are ranked.
        index: ``exact`` scores all items; ``ann`` searches the index that ``alignrec-geo index`` built, on the CPU.

    Raises:
        InputError: not a run folder, a damaged file, no vectors of cold items that fit the tables, or no index of them
            (see :func:`~alignrec_geo.serving.index.open_indexes`).

    Example:
        >>> load_top_items("runs/tiktok").recommend(["42"], k=5)  # doctest: +SKIP
    """
    folder = as_path(path)
    if index not in WAYS:
        raise InputError(f"index must be one of {', '.join(WAYS)} (got {index!r:.80})")
    recover(folder)
    embeddings = Embeddings(*(table.to(device) for table in read_embeddings(folder)))
    cold_items = load_cold_items(folder / COLD, folder / EMBEDDINGS) if include_cold else None
    if cold_items is not None:
        cold_items = replace(cold_items, vectors=cold_items.vectors.to(device))
    indexes = open_indexes(folder) if index == "ann" else None
    return TopItems(embeddings, Dataset.open(folder / DATASET), cold_items, StoredFolding(folder), indexes)


def serving_problem(folder: Path) -> str | None:
    """What keeps ``folder`` from holding what serving needs."""
    if not (folder / EMBEDDINGS).is_file():
        return f"has no {EMBEDDINGS}"
    problem = DATA_SET.problem(folder / DATASET)
    return None if problem is None else f"holds '{DATASET}', and that {problem}"


def _problem(folder: Path) -> str | None:
    return serving_problem(folder) or SAVED_MODEL.foreign(folder, below=[DATASET])


SAVED_MODEL = FolderKind(
    name="saved model",
    problem=_problem,
    owns=(*map(re.escape, (EMBEDDINGS, FOLDING, COLD)), *IN_RUN),
)
