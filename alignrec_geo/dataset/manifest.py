"""``dataset.json``: what is in a data set folder, and which folders are such."""

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from alignrec_geo.dataset.splits import SplitConfig
from alignrec_geo.errors import InputError
from alignrec_geo.files import inside, read_json, sha256_of
from alignrec_geo.folders import FolderKind
from alignrec_geo.locks import LOCK, locked, sole
from alignrec_geo.parquet import read_parquet
from alignrec_geo.settings import checked
from alignrec_geo.staging import recover

SCHEMA_VERSION = 1
MANIFEST = "dataset.json"
CROISSANT = "croissant.json"
"""Describes the data set to other programs; made on demand."""
ENCODERS = "encoders"
"""Folder of the encoders that were pre-trained on a data set, one folder each."""
GRAPHS = "graph"
"""Folder of the graphs that training keeps of a large data set; made again where they are missing."""
TABLES = ("interactions", "users", "items")
PENDING = ".next"
"""Ending of a feature file that the manifest names already and that does not have its name yet."""

_FILE = re.compile(r"(interactions|users|items)\.parquet|features/[A-Za-z0-9][A-Za-z0-9_.-]*\.safetensors")


class Manifest(BaseModel):
    """What ``dataset.json`` holds."""

    model_config = ConfigDict(extra="forbid")

    schema_version: int
    """Version of this layout."""
    name: str
    """Name of the data set."""
    counts: dict[str, int]
    """Users, items, interactions and the size of each split."""
    split: SplitConfig
    """How the split was made."""
    source: dict[str, str]
    """Where the data came from, free text by key."""
    notes: list[str]
    """What the import changed or could not use."""
    files: dict[str, str]
    """SHA-256 of every table and feature file."""
    images: int
    """Number of stored images."""

    def feature_names(self) -> list[str]:
        """Names of the stored feature matrices."""
        return [Path(file).stem for file in self.files if file.startswith("features/")]


def found_manifest(folder: Path) -> Manifest:
    """Read ``dataset.json``, after what a killed write of the folder left is settled.

    Raises:
        InputError: there is no such folder, or see :func:`read_manifest`.
    """
    recover(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such data set folder")
    return read_manifest(folder)


def read_manifest(folder: Path) -> Manifest:
    """Read ``dataset.json``.

    Raises:
        InputError: there is none, it is no manifest of this version, or it names a file that no data set has.
    """
    path = inside(folder, MANIFEST)
    if not path.exists():
        raise InputError(f"{folder}: not a data set folder (no {MANIFEST}); make one with 'alignrec-geo data import'")
    content = read_json(path)
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != SCHEMA_VERSION:
        raise InputError(f"{path}: schema version {version!r}; this release reads version {SCHEMA_VERSION}")
    manifest = checked(Manifest, content, prefix=f"{path}: ")
    for file in manifest.files:
        if not _FILE.fullmatch(file):
            raise InputError(f"{path}: files: no file of a data set (got {file!r})")
    return manifest


def stored_file(folder: Path, file: str, manifest: Manifest) -> Path:
    """The path of a table or feature file whose content is what the manifest says.

    Raises:
        InputError: it is missing, not listed, leads out of the folder, or does not match its hash.
    """
    path = inside(folder, file)
    if file not in manifest.files:
        if not path.exists():
            raise InputError(f"{path}: missing; the data set folder is incomplete")
        raise InputError(f"{path}: not listed in {MANIFEST}; add features with Dataset.store_features(...)")
    if path.is_file() and sha256_of(path) == manifest.files[file]:
        return path
    if finish_pending(folder, file, manifest):
        return path
    if not path.exists():
        raise InputError(f"{path}: missing; the data set folder is incomplete")
    raise InputError(f"{path}: does not match its hash in {MANIFEST}; the file is truncated or was changed")


def pending_file(folder: Path, file: str) -> Path:
    """Where a file waits until the manifest names it."""
    path = folder / file
    return path.with_name(f".{path.stem}{PENDING}")


def finish_pending(folder: Path, file: str, manifest: Manifest) -> bool:
    """Give a file its name whose writer was killed after the manifest named it."""
    pending = pending_file(folder, file)
    if not pending.is_file() or pending.is_symlink() or sha256_of(pending) != manifest.files.get(file):
        return False
    with suppress(FileNotFoundError):  # its writer lives and was faster
        os.replace(pending, folder / file)
    return True


@contextmanager
def data_set_to_itself(folder: Path) -> Iterator[None]:
    """Keep other writers out of a data set, waiting for them; what killed ones left is put in order first."""
    with locked(folder / LOCK):
        manifest = read_manifest(folder)
        for pending in (folder / "features").glob(f".*{PENDING}"):
            name = pending.name.removeprefix(".").removesuffix(PENDING)
            if not finish_pending(folder, f"features/{name}.safetensors", manifest):
                pending.unlink(missing_ok=True)
        yield


@contextmanager
def _guard(folder: Path) -> Iterator[None]:
    """Keep writers out while the whole folder is replaced; one that pre-trains an encoder in it is not waited for."""
    with data_set_to_itself(folder), ExitStack() as held:
        for encoder in sorted((folder / ENCODERS).glob("*/")):
            if not encoder.is_symlink() and not encoder.name.startswith("."):
                busy = f"{encoder} is being pre-trained by another process; wait until it is done"
                held.enter_context(sole(encoder / LOCK, busy))
        yield


def _problem(folder: Path) -> str | None:
    """What keeps a folder from being a data set and nothing else."""
    if not (folder / MANIFEST).is_file():
        return f"has no {MANIFEST}"
    try:
        manifest = read_manifest(folder)
    except InputError as error:
        return f"is no data set of this program ({error})"
    return DATA_SET.foreign(folder, {*manifest.files, *_images(folder)})


def _images(folder: Path) -> list[str]:
    """The images that belong to items; of a damaged table all that look like some."""
    try:
        table = read_parquet(inside(folder, "items.parquet"))
    except InputError:
        table = None
    if table is None or "image" not in table.columns:
        return [f"images/{path.name}" for path in (folder / "images").glob("*") if path.is_file()]
    return [str(name) for name in table["image"].drop_nulls()]


DATA_SET = FolderKind(
    name="data set",
    problem=_problem,
    owns=(
        re.escape(MANIFEST),
        re.escape(CROISSANT),
        r"(interactions|users|items)\.parquet",
        rf"features/\.[^/]+{re.escape(PENDING)}",
        rf"{GRAPHS}/[0-9a-f]{{64}}\.safetensors",
        rf"{ENCODERS}/[^/]+/(config\.json|model\.safetensors|last\.safetensors|metrics\.jsonl|tokenizer\.json)",
    ),
    guard=_guard,
)
