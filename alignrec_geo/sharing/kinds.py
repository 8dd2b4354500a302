"""What is shared: runs, data sets and features of items; and which files of each may come or go."""

import re
from collections.abc import Mapping
from pathlib import PureWindowsPath
from typing import Literal

from alignrec_geo.dataset.manifest import CROISSANT, ENCODERS, MANIFEST
from alignrec_geo.errors import InputError
from alignrec_geo.image_files import suffixes
from alignrec_geo.serving.cold_store import COLD
from alignrec_geo.serving.folding_store import EMBEDDINGS, FOLDING
from alignrec_geo.serving.store import DATASET
from alignrec_geo.sharing.address import RepoType
from alignrec_geo.training.run_files import CONFIG, METRICS_FILE, PER_USER, RESULT

Kind = Literal["run", "data set", "features"]
RUN: Kind = "run"
DATA: Kind = "data set"
FEATURES: Kind = "features"
REPO_TYPES: Mapping[Kind, RepoType] = {RUN: "model", DATA: "dataset", FEATURES: "dataset"}
"""Type of the repository, by kind."""
ITEMS = "items.parquet"
"""Ids of the items, row by row: in the folder of shared features."""

_TABLES = r"(interactions|users|items)\.parquet"
_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}"
_RUN_FILES = (CONFIG, METRICS_FILE, RESULT, PER_USER, EMBEDDINGS, FOLDING, COLD, "cost.json", "groups.json")
_ENCODER_FILES = r"(config\.json|model\.safetensors|metrics\.jsonl|tokenizer\.json)"
_ALLOWED: Mapping[Kind, str] = {
    RUN: rf"{'|'.join(map(re.escape, _RUN_FILES))}|checkpoint/(best|last)\.safetensors"
    rf"|{DATASET}/({re.escape(MANIFEST)}|{_TABLES})",
    DATA: rf"{re.escape(MANIFEST)}|{re.escape(CROISSANT)}|{_TABLES}|features/{_NAME}\.safetensors"
    rf"|images/[^/]{{1,250}}|{ENCODERS}/{_NAME}/{_ENCODER_FILES}",
    FEATURES: rf"{re.escape(ITEMS)}|features/{_NAME}\.safetensors",
}


def is_allowed(kind: Kind, path: str) -> bool:
    """Whether a file of this path may be in a shared folder of this kind.

    The formats are safetensors, Parquet, JSON, YAML and images: reading them runs no code.

    Args:
        kind: what is shared.
        path: path in the folder, with ``/`` between the parts.

    Example:
        >>> is_allowed("run", "embeddings.safetensors"), is_allowed("run", "model.pt"), is_allowed("data set", "../x")
        (True, False, False)
    """
    parts = PureWindowsPath(path)  # splits at both kinds of slash and knows drive letters
    if parts.anchor or ".." in parts.parts or "\\" in path or any(ord(letter) < 32 for letter in path):
        return False
    if re.fullmatch(_ALLOWED[kind], path) is None:
        return False
    return not path.startswith("images/") or any(path.lower().endswith(suffix) for suffix in suffixes())


def refuse_foreign(kind: Kind, paths: Mapping[str, object], where: object) -> None:
    """Refuse files that do not belong to the kind.

    Raises:
        InputError: names the first one.
    """
    for path in paths:
        if not is_allowed(kind, path):
            raise InputError(f"{where}: holds '{path:.200}', which is no file of a {kind}; nothing was written")
