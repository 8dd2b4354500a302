"""What was pulled, opened once before it gets its place: a folder that cannot be used never appears."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from alignrec_geo.dataset.features import Features
from alignrec_geo.dataset.manifest import DATA_SET, read_manifest, stored_file
from alignrec_geo.dataset.rows_by_id import RowsById
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.dataset.write import feature_file
from alignrec_geo.errors import InputError
from alignrec_geo.files import sha256_of
from alignrec_geo.folders import FolderKind
from alignrec_geo.parquet import read_parquet
from alignrec_geo.records import RunResult, read_record
from alignrec_geo.serving.store import DATASET, read_embeddings
from alignrec_geo.sharing.address import Address
from alignrec_geo.sharing.kinds import DATA, FEATURES, ITEMS, RUN, Kind
from alignrec_geo.sharing.manifest import SHARED, Shared, read_shared
from alignrec_geo.training import run_folder
from alignrec_geo.training.run_files import RESULT


def _features_problem(folder: Path) -> str | None:
    """What keeps a folder from being pulled features and nothing else, as they came."""
    if not (folder / SHARED).is_file():
        return f"has no {SHARED}"
    try:
        shared = read_shared(folder / SHARED, folder)
    except InputError as error:
        return f"holds no features of this program ({error})"
    if shared.kind != FEATURES:
        return f"holds a {SHARED} of a {shared.kind}"
    changed = [
        name
        for name, file in shared.files.items()
        if (folder / name).is_file() and sha256_of(folder / name) != file.sha256
    ]
    foreign = FOLDERS[FEATURES].foreign(folder, [SHARED, *shared.files])
    return foreign or (f"holds '{changed[0]}', which was changed since" if changed else None)


FOLDERS: Mapping[Kind, FolderKind] = {
    RUN: run_folder.RUN,
    DATA: DATA_SET,
    FEATURES: FolderKind(name="folder of pulled features", problem=_features_problem),
}
"""What ``overwrite`` may replace, by kind."""


def check_pulled(shared: Shared, folder: Path, where: Address) -> None:
    """Open everything that came, and add what is made here: the report of a run.

    Args:
        shared: what came.
        folder: where it is now.
        where: where it came from, for messages.

    Raises:
        InputError: something cannot be used.
    """
    try:
        if shared.kind == FEATURES:
            ids = _item_ids(folder)
            for features in _matrices(shared, folder):
                if len(features.matrix) != len(ids):
                    raise InputError(
                        f"features '{features.name}' have {len(features.matrix)} rows, {ITEMS} {len(ids)} ids"
                    )
            (folder / SHARED).write_text(shared.text(), encoding="utf-8")
            return
        problem = FOLDERS[shared.kind].problem(folder)
        if problem is not None:
            raise InputError(f"the folder {problem}")
        Dataset.open(folder / DATASET if shared.kind == RUN else folder)
        if shared.kind == DATA:
            manifest = read_manifest(folder)
            for name in manifest.feature_names():
                matrix = Features.load(stored_file(folder, feature_file(name), manifest)).matrix
                if len(matrix) != manifest.counts["items"]:
                    raise InputError(f"features '{name}' have {len(matrix)} rows, not one per item")
            return
        read_embeddings(folder)
        read_record(folder / RESULT, RunResult)
        from alignrec_geo.reporting.run_report import write_run_report  # draws with matplotlib

        write_run_report(folder)
    except InputError as error:
        said = str(error).replace(f"{folder}/", "").replace(str(folder), shared.name)
        raise InputError(f"{where}: cannot be used: {said}; nothing was written") from None


def add_features(shared: Shared, folder: Path, target: Path, overwrite: bool) -> dict[str, int]:
    """Put pulled features into a data set, by item id, and return how many of its items each matrix has.

    Args:
        shared: what came.
        folder: where it is.
        target: the data set.
        overwrite: replace features of the same names.

    Raises:
        InputError: a name is taken and ``overwrite`` is false, or a matrix has none of the items.
    """
    data = Dataset.open(target)
    rows = RowsById(_item_ids(folder)).many(data.items["id"])
    placed = []
    for features in _matrices(shared, folder):
        known = (rows >= 0) & features.present[rows]
        if not known.any():
            raise InputError(f"{target}: features '{features.name}' of {shared.name} have none of its items")
        matrix = np.where(known[:, None], features.matrix[rows], np.float32(0))
        placed.append(Features(features.name, matrix, known, features.meta))
    data.store_features(*placed, overwrite=overwrite)
    return {features.name: int(features.present.sum()) for features in placed}


def _item_ids(folder: Path) -> pl.Series:
    table = read_parquet(folder / ITEMS)
    if table.schema != {"id": pl.String} or table["id"].null_count() or table["id"].n_unique() < table.height:
        raise InputError(f"{folder / ITEMS}: must hold one column 'id' of texts, all different")
    return table["id"]


def _matrices(shared: Shared, folder: Path) -> list[Features]:
    return [Features.load(folder / name) for name in shared.files if name.startswith("features/")]
