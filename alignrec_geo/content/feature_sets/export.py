"""A folder in the field's layout: ``NAME.inter``, ``X_feat.npy`` by item number, id mappings, and a feature card."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import polars as pl

from alignrec_geo.content.feature_sets.card import feature_card
from alignrec_geo.content.feature_sets.report import feature_report
from alignrec_geo.dataset.interactions import EVALUATED, OPTIONAL, Split
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.files import naming, read_json, sha256_of, write_json
from alignrec_geo.folders import FolderKind, atomic_directory, folder_target

MADE_BY = "alignrec-geo features export"
MARKER = "export.json"
"""Says that a folder is an export of this program, with the hash of every file."""


def export_mmrec(
    dataset: Dataset,
    features: Mapping[str, str],
    out: Path,
    overwrite: bool = False,
    probed: Mapping[str, Any] | None = None,
) -> list[str]:
    """Write a data set as :func:`~alignrec_geo.dataset.readers.mmrec.read_mmrec` reads it back.

    The layout knows no items beyond the largest number that has a pair, no pairs outside the three splits and no mask:
    items after the last one with a pair are left out, so are pairs in no split, and a missing vector is a row of zeros.

    Args:
        dataset: what to write.
        features: feature matrices by what their file is called: ``{"image": "aligned-lite0"}`` makes
            ``image_feat.npy``.
        out: the folder.
        overwrite: replace an earlier export; files that were changed or added since keep it from being replaced.
        probed: what ``probe --out`` wrote; goes on the card.

    Returns:
        What was left out.

    Raises:
        InputError: no such features, a vector that is all zeros, or the folder exists or cannot be replaced.
    """
    folder_target(out, EXPORT, overwrite, [dataset.path])  # before the work
    matrices = {f"{name}_feat.npy": dataset.features(source) for name, source in features.items()}
    for file, matrix in matrices.items():
        silent = matrix.present & ~matrix.matrix.any(axis=1)
        if silent.any():
            raise InputError(
                f"features '{matrix.name}': the vectors of {int(silent.sum())} items are all zeros, which {file} could "
                f"not tell from missing (first: item '{dataset.items['id'][int(silent.argmax())]}')"
            )
    pairs = dataset.interactions.of(*EVALUATED)
    n_items, n_users = int(pairs.item.max()) + 1, int(pairs.user.max()) + 1
    notes = _left_out(dataset, n_users, n_items)
    with atomic_directory(out, EXPORT, overwrite, [dataset.path]) as folder, naming(folder):
        columns: dict[str, Any] = {"userID": pairs.user, "itemID": pairs.item, "x_label": pairs.split}
        columns |= {name: getattr(pairs, name) for name in OPTIONAL if getattr(pairs, name) is not None}
        pl.DataFrame(columns).write_csv(folder / f"{quote(dataset.name, safe=' ')}.inter", separator="\t")
        _write_ids(folder / "u_id_mapping.csv", dataset.users["id"].head(n_users), "user_id", "userID")
        _write_ids(folder / "i_id_mapping.csv", dataset.items["id"].head(n_items), "item_id", "itemID")
        reports = {}
        for file, matrix in matrices.items():
            np.save(folder / file, matrix.matrix[:n_items])
            kept = replace(matrix, matrix=matrix.matrix[:n_items], present=matrix.present[:n_items])
            reports[file] = feature_report(kept, folder / file)
        (folder / "README.md").write_text(feature_card(dataset, reports, notes, probed), encoding="utf-8")
        hashes = {file.name: sha256_of(file) for file in sorted(folder.iterdir())}
        write_json(folder / MARKER, {"made_by": MADE_BY, "files": hashes})
    return notes


def _left_out(dataset: Dataset, n_users: int, n_items: int) -> list[str]:
    pairs = dataset.interactions
    lost = {
        "pairs that are in no split": int((pairs.split == Split.UNUSED).sum()),
        "pairs that are the history of held-out users": int((pairs.split == Split.HISTORY).sum()),
        "users after the last one that has a pair": pairs.n_users - n_users,
        "items after the last one that has a pair": pairs.n_items - n_items,
    }
    return [f"{count} {what}" for what, count in lost.items() if count]


def _write_ids(path: Path, ids: pl.Series, external: str, number: str) -> None:
    pl.DataFrame({external: ids, number: range(len(ids))}).write_csv(path, separator="\t")


def _problem(folder: Path) -> str | None:
    """What keeps a folder from being an export and nothing else, as it was written."""
    if not (folder / MARKER).is_file():
        return f"has no {MARKER}"
    content = read_json(folder / MARKER)
    files = content.get("files") if isinstance(content, dict) and content.get("made_by") == MADE_BY else None
    if not isinstance(files, dict):
        return f"holds a {MARKER} that is not of this program"
    return EXPORT.unlike(folder, files, [MARKER])


EXPORT = FolderKind(name="features export", problem=_problem)
