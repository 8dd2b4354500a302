"""The files of a data set, and of its features alone."""

from pathlib import Path

from alignrec_geo.dataset.manifest import ENCODERS, MANIFEST, TABLES, read_manifest, stored_file
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.files import write_json
from alignrec_geo.sharing.collected import Collected, files_of
from alignrec_geo.sharing.kinds import DATA, ITEMS, is_allowed


def data_files(folder: Path, staging: Path, without_images: bool) -> Collected:
    """Tables, features, images and encoders; every table and matrix is checked against its hash.

    Raises:
        InputError: the data set is damaged.
    """
    data = Dataset.open(folder)
    manifest = read_manifest(folder)
    root = folder
    files: dict[str, Path] = {}
    if without_images and manifest.images:
        root = data.save(staging / "tables", content=False).path or folder
        bare = read_manifest(root)
        features = {file: digest for file, digest in manifest.files.items() if file.startswith("features/")}
        write_json(root / MANIFEST, bare.model_copy(update={"files": {**bare.files, **features}}).model_dump())
    elif manifest.images:
        names = [str(name) for name in data.items["image"].drop_nulls()]
        strange = next((name for name in names if not is_allowed(DATA, name)), None)
        if strange is not None:
            raise InputError(f"{folder}: image '{strange:.120}' has a name that cannot be shared")
        files |= files_of(folder, names)
    files |= files_of(root, [MANIFEST, *(f"{table}.parquet" for table in TABLES)])
    files |= {file: stored_file(folder, file, manifest) for file in manifest.files if file.startswith("features/")}
    encoders = sorted((folder / ENCODERS).rglob("*"))
    files |= files_of(folder, [path for path in _paths(folder, encoders) if is_allowed(DATA, path)])
    counts = data.counts()
    return Collected(manifest.name, files, counts["users"], counts["interactions"], root)


def feature_files(folder: Path, staging: Path) -> Collected:
    """The feature matrices and the ids of the items that their rows belong to; nothing of users.

    Raises:
        InputError: the data set is damaged, or has no features.
    """
    data = Dataset.open(folder)
    manifest = read_manifest(folder)
    names = [file for file in manifest.files if file.startswith("features/")]
    if not names:
        raise InputError(f"{folder}: has no features, and nothing else is left without users")
    ids = staging / ITEMS
    data.items.select("id").write_parquet(ids)
    return Collected(manifest.name, {ITEMS: ids, **{file: stored_file(folder, file, manifest) for file in names}})


def _paths(folder: Path, files: list[Path]) -> list[str]:
    return [file.relative_to(folder).as_posix() for file in files]
