"""The indexes of a run on disk: the folder ``index`` beside the tables that they were built from."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field, FiniteFloat
from safetensors.numpy import save_file
from torch import Tensor

from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.files import inside, read_json, sha256_of, write_json
from alignrec_geo.folders import FolderKind, atomic_directory
from alignrec_geo.reading import check_plain_file
from alignrec_geo.records import Record, read_record
from alignrec_geo.serving.folding_store import EMBEDDINGS
from alignrec_geo.serving.index.build import CALIBRATED, TARGET, Built, build_index
from alignrec_geo.serving.index.package import load_faiss
from alignrec_geo.serving.index.search import ItemIndex
from alignrec_geo.serving.items_by_user import ItemsByUser
from alignrec_geo.staging import recover
from alignrec_geo.tensors import as_array, read_tensors
from alignrec_geo.typing import Int64

FOLDER, FACTS = "index", "index.json"
PARTS = ("recommend", "similar")
"""By inner product, for users; by cosine, for items."""
FILES = ("lists", "safetensors")


class PartFacts(Record):
    """What is known of one index."""

    lists: int = Field(ge=1)
    """Lists that the items are in."""
    probes: int = Field(ge=1)
    """Lists that are looked through for a request."""
    recall: FiniteFloat = Field(ge=0, le=1)
    """Share of the exact best 50 items that were found, what had been seen left out."""
    queries: int = Field(ge=0)
    """Requests that the recall was measured on."""
    build_seconds: FiniteFloat
    """How long building took."""
    milliseconds: dict[str, FiniteFloat]
    """Median time of a request where it was built, by the index and exactly."""
    sha256: dict[str, str]
    """Of its files, by their ending."""


class Facts(Record):
    """``index.json``."""

    tables: str
    """SHA-256 of the run's file of tables that the indexes were built from."""
    items: int = Field(ge=1)
    """Items."""
    width: int = Field(ge=1)
    """Width of the tables."""
    target: FiniteFloat
    """Recall at 50 that the number of probes was raised to."""
    threads: int
    """Threads where it was built."""
    faiss: str
    """Version of faiss."""
    recommend: PartFacts
    """By inner product."""
    similar: PartFacts
    """By cosine."""


@dataclass(frozen=True)
class Indexes:
    """The indexes of a run.

    Args:
        recommend: items by inner product.
        similar: items by cosine.
        facts: what is known of them.
    """

    recommend: ItemIndex
    similar: ItemIndex
    facts: Facts

    def check(self, items: Tensor) -> None:
        """Check that a table of items can be ranked by these.

        Raises:
            InputError: it has another shape, or is on a GPU.
        """
        if items.device.type != "cpu":
            raise InputError(
                f"an index is searched on the CPU; pass device='cpu' with index='ann' (got {items.device})"
            )
        if list(items.shape) != [self.facts.items, self.facts.width]:
            raise InputError(
                f"the index is of a table of {self.facts.items} items of width {self.facts.width} (got "
                f"{list(items.shape)})"
            )


def save_indexes(
    run: Path,
    tables: Embeddings,
    trained_users: Int64,
    seen: ItemsByUser,
    target: float = TARGET,
    seed: int = 0,
    overwrite: bool = True,
) -> Facts:
    """Build the indexes of a run and write them into its folder ``index``, in one step.

    Args:
        run: the run folder.
        tables: its tables.
        trained_users: rows of the users that recall is measured on, ``[q]``.
        seen: what every user has interacted with.
        target: recall at 50 that the number of probes is raised to.
        seed: of k-means and the choice of queries.
        overwrite: replace the indexes that are there.

    Raises:
        InputError: faiss is not installed, there are no items, or the folder holds something else.
    """
    faiss = load_faiss()
    if not len(tables.items) or not tables.items.shape[1]:
        raise InputError(f"{run}: has no items to build an index of")
    unit = F.normalize(tables.items, dim=1)
    with atomic_directory(run / FOLDER, INDEX, overwrite) as folder:
        parts = {}
        for name in PARTS:
            table = tables.items if name == "recommend" else unit
            queries, rows = (tables.users, trained_users) if name == "recommend" else (unit, np.arange(len(unit)))
            hidden = seen if name == "recommend" else None
            built = build_index(folder / f"{name}.lists", table, queries, rows, hidden, target, seed=seed)
            parts[name] = _kept(folder, name, built)
        facts = Facts(
            tables=sha256_of(run / EMBEDDINGS),
            items=len(tables.items),
            width=tables.items.shape[1],
            target=target,
            threads=torch.get_num_threads(),
            faiss=faiss.__version__,
            **parts,
        )
        write_json(folder / FACTS, {"k": CALIBRATED, **facts.model_dump()})
    return facts


def open_indexes(run: Path) -> Indexes:
    """Open the indexes of a run: the lists stay on disk and come into memory as they are looked through.

    Every file is compared with its hash first, and so are the tables; faiss reads no file format, only vectors.

    Args:
        run: the run folder.

    Raises:
        InputError: faiss is not installed; the run has no index, or one of other tables; or a file is damaged.
    """
    load_faiss()
    folder = run / FOLDER
    recover(folder)
    again = f"; build it again with: alignrec-geo index {run}"
    if not folder.is_dir():
        raise InputError(f"{run}: has no index of its items; build it with: alignrec-geo index {run}")
    facts = read_facts(folder)
    if facts.tables != sha256_of(inside(run, EMBEDDINGS)):
        raise InputError(f"{folder}: built from other tables than {run / EMBEDDINGS} holds now{again}")
    return Indexes(_part(folder, "recommend", facts, again), _part(folder, "similar", facts, again), facts)


def read_facts(folder: Path) -> Facts:
    """Read ``index.json`` of an index folder.

    Raises:
        InputError: it is missing or damaged.
    """
    return Facts.model_validate(read_record(inside(folder, FACTS), Facts))


def _kept(folder: Path, name: str, built: Built) -> PartFacts:
    index = built.index
    save_file({"centres": index.centres, "sizes": index.sizes}, folder / f"{name}.safetensors")
    return PartFacts(
        lists=len(index.sizes),
        probes=index.probes,
        recall=round(built.recall, 4),
        queries=built.queries,
        build_seconds=round(built.build_seconds, 2),
        milliseconds={way: round(value, 4) for way, value in built.milliseconds.items()},
        sha256={ending: sha256_of(folder / f"{name}.{ending}") for ending in FILES},
    )


def _part(folder: Path, name: str, facts: Facts, again: str) -> ItemIndex:
    part: PartFacts = getattr(facts, name)
    for ending in FILES:
        file = check_plain_file(inside(folder, f"{name}.{ending}"))
        if sha256_of(file) != part.sha256.get(ending):
            raise InputError(f"{file}: damaged: not the file that {FACTS} tells of{again}")
    tensors, _ = read_tensors(folder / f"{name}.safetensors", ("centres", "sizes"))
    centres, sizes = as_array(tensors["centres"]), as_array(tensors["sizes"])
    fits = centres.shape == (part.lists, facts.width) and centres.dtype == np.float32 and np.isfinite(centres).all()
    if not fits or sizes.shape != (part.lists,) or sizes.dtype != np.int64 or sizes.min() < 0:
        raise InputError(f"{folder / name}.safetensors: does not hold the lists that {FACTS} tells of{again}")
    if int(sizes.sum()) != facts.items or int(sizes.max()) > facts.items:
        raise InputError(f"{folder / name}.safetensors: its lists do not hold {facts.items} items{again}")
    return ItemIndex(folder / f"{name}.lists", centres.astype(np.float32), sizes.astype(np.int64), part.probes)


def _problem(folder: Path) -> str | None:
    if not (folder / FACTS).is_file():
        return f"has no {FACTS}"
    content = read_json(folder / FACTS)
    ours = isinstance(content, dict) and {"tables", *PARTS} <= set(content)
    return INDEX.foreign(folder) if ours else f"holds an {FACTS} that is not of an index"


INDEX = FolderKind(
    name="item index",
    problem=_problem,
    owns=(re.escape(FACTS), rf"({'|'.join(PARTS)})\.({'|'.join(FILES)})"),
)
IN_RUN = tuple(f"{FOLDER}/{pattern}" for pattern in INDEX.owns)
"""Patterns of its files in a run folder."""
