"""The part of a run folder that serving needs: ``embeddings.safetensors`` and ``dataset/``."""

import os
import re
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from alignrec_geo.dataset.manifest import DATA_SET
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.files import atomic_path, inside
from alignrec_geo.folders import FolderKind, atomic_directory
from alignrec_geo.reading import as_path
from alignrec_geo.serving.cold_store import COLD, load_cold_items
from alignrec_geo.serving.recommend import TopItems
from alignrec_geo.staging import recover

EMBEDDINGS = "embeddings.safetensors"
DATASET = "dataset"


def save_embeddings(path: str | os.PathLike[str], embeddings: Embeddings, dataset: Dataset) -> None:
    """Write the tables and a copy of the data set's interactions and ids (no content) into a folder of their own.

    A folder that this function wrote before is replaced, in one step.

    Raises:
        InputError: the folder holds anything else, a training run for example.
    """
    with atomic_directory(as_path(path), SAVED_MODEL, overwrite=True, inputs=[dataset.path]) as folder:
        dataset.save(folder / DATASET, content=False)
        write_embeddings(folder, embeddings)


def write_embeddings(folder: Path, embeddings: Embeddings) -> None:
    """Write the two tables, atomically."""
    with atomic_path(folder / EMBEDDINGS) as staging:
        save_file({name: table.contiguous() for name, table in embeddings._asdict().items()}, staging)


def read_embeddings(folder: Path) -> Embeddings:
    """Read the two tables of a run folder.

    Raises:
        InputError: not a run folder, or a damaged file.
    """
    file = inside(folder, EMBEDDINGS, DATASET, COLD)
    if not file.exists():
        raise InputError(f"{folder}: not a run folder with a trained model (no {EMBEDDINGS})")
    try:
        stored = load_file(file)
        return Embeddings(stored["users"], stored["items"])
    except (SafetensorError, KeyError) as error:
        raise InputError(f"{file}: truncated or not an embedding file ({error})") from None


def load_top_items(path: str | os.PathLike[str], include_cold: bool = False) -> TopItems:
    """Open a run folder for recommending.

    Args:
        path: the folder.
        include_cold: also read the vectors of cold items that ``alignrec-geo embed`` left in it.

    Raises:
        InputError: not a run folder, a damaged file, or no vectors of cold items that fit the tables.

    Example:
        >>> load_top_items("runs/tiktok").recommend(["42"], k=5)  # doctest: +SKIP
    """
    folder = as_path(path)
    recover(folder)
    embeddings = read_embeddings(folder)
    cold_items = load_cold_items(folder / COLD, folder / EMBEDDINGS) if include_cold else None
    return TopItems(embeddings, Dataset.open(folder / DATASET), cold_items)


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
    owns=(re.escape(EMBEDDINGS), re.escape(COLD)),
)
