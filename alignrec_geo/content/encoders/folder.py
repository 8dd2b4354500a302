"""A local ``transformers`` folder: its fingerprint, and models from it, without a network or code of its own."""

import hashlib
import json
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch

from alignrec_geo.errors import InputError
from alignrec_geo.files import is_within, read_json, sha256_of
from alignrec_geo.reading import check_plain_file, reading

DECISIVE = (".json", ".safetensors", ".txt", ".model", ".spm")
"""Suffixes of the files that decide what a model says: weights, configuration, tokenizer."""


class LoadedModel(NamedTuple):
    """A model in evaluation mode, and whether its pooler was in the file too."""

    model: Any
    has_pooler: bool


def check_folder(folder: Path) -> Path:
    """Return a folder that a user names if what lies in it is safe to read.

    Links may lead to other files of the folder, and to the ``blobs`` that a cache of Hugging Face keeps beside its
    ``snapshots``; weights are in the folder itself.

    Raises:
        InputError: a link or a list of weights leads elsewhere, or there is a pipe, a socket or a device.
    """
    home = folder.resolve()
    allowed = [home, *([home.parent.parent / "blobs"] if home.parent.name == "snapshots" else [])]
    for file in sorted((*folder.iterdir(), *folder.glob("1_Pooling/*"))):
        if not any(is_within(file, place) for place in allowed):
            raise InputError(f"{file}: is a link that leads out of the folder; refused")
        if not file.is_dir():
            check_plain_file(file, "file of a model")
    if (folder / "adapter_config.json").exists():
        raise InputError(f"{folder}: holds an adapter, not a whole model; merge it into its model first")
    for index in sorted(folder.glob("*.index.json")):
        told = read_json(index)
        weights = told.get("weight_map") if isinstance(told, dict) else None
        names = list(weights.values()) if isinstance(weights, dict) else [None]
        if not all(isinstance(name, str) and name and Path(name).name == name for name in names):
            raise InputError(f"{index}: 'weight_map' must name files of this folder")
    return folder


def read_settings(file: Path) -> dict[str, Any]:
    """Read a JSON file of settings; a missing one has none.

    Raises:
        InputError: it is not JSON, or holds something else than an object.
    """
    if not file.exists():
        return {}
    with reading(file, "JSON file"):
        told = read_json(check_plain_file(file, "JSON file"))
    if not isinstance(told, dict):
        raise InputError(f"{file}: must be an object of settings (got {type(told).__name__})")
    return told


def fingerprint(folder: Path, **settings: object) -> str:
    """SHA-256 of the decisive files of a folder (and of ``1_Pooling``) and of further settings.

    Raises:
        InputError: no such folder, or it holds no ``config.json``.
    """
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder}: not a transformers folder (no config.json in it)")
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    files = [file for file in (*folder.iterdir(), *folder.glob("1_Pooling/*")) if file.suffix in DECISIVE]
    for file in sorted(files):
        check_plain_file(file, "file of a model")
        digest.update(f"{file.relative_to(folder).as_posix()} {sha256_of(file)}\n".encode())
    return digest.hexdigest()


def load_model(folder: Path, device: torch.device) -> LoadedModel:
    """Load the bare model of a folder: safetensors only, strictly, no remote code, no network.

    Raises:
        InputError: the folder holds no model that ``transformers`` knows, one of two towers, or lacks weights.
    """
    config = read_settings(folder / "config.json")
    if "text_config" in config or "vision_config" in config:
        raise InputError(
            f"{folder}: a model of several towers ('{config.get('model_type')}'); save the tower that is to be used in "
            "a folder of its own"
        )

    def load() -> Any:
        from transformers import AutoModel

        return AutoModel.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, trust_remote_code=False, output_loading_info=True
        )

    model, info = _read(folder, "model", load)
    missing = sorted(info["missing_keys"])
    needed = [key for key in missing if "pooler" not in key]
    if needed:
        raise InputError(f"{folder}: {len(needed)} weights of the model are not in the file (first: {needed[0]})")
    return LoadedModel(model.eval().requires_grad_(False).to(device), not missing)


def load_tokenizer(folder: Path) -> Any:
    """Load the tokenizer of a folder.

    Raises:
        InputError: there is none that ``transformers`` can read.
    """

    def load() -> Any:
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)

    return _read(folder, "tokenizer", load)


def _read(folder: Path, what: str, load: Callable[[], Any]) -> Any:
    """Load without a word and with the global generator left alone; any failure is about the folder."""
    with reading(folder, f"transformers {what}"), torch.random.fork_rng(devices=[]), _quiet():
        return load()


@contextmanager
def _quiet() -> Any:
    """No progress bar, and no report on weights that are missing: what matters of it is checked here."""
    from transformers.utils import logging as transformers_logging

    logging: Any = transformers_logging  # untyped

    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()
