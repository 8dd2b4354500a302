"""A local ``transformers`` folder: its fingerprint, and models from it, without a network or code of its own."""

import hashlib
import json
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError

from alignrec_geo.errors import InputError
from alignrec_geo.files import read_json, sha256_of

DECISIVE = (".json", ".safetensors", ".txt", ".model", ".spm")
"""Suffixes of the files that decide what a model says: weights, configuration, tokenizer."""


class LoadedModel(NamedTuple):
    """A model in evaluation mode, and whether its pooler was in the file too."""

    model: Any
    has_pooler: bool


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
        digest.update(f"{file.relative_to(folder).as_posix()} {sha256_of(file)}\n".encode())
    return digest.hexdigest()


def load_model(folder: Path, device: torch.device) -> LoadedModel:
    """Load the bare model of a folder: safetensors only, strictly, no remote code, no network.

    Raises:
        InputError: the folder holds no model that ``transformers`` knows, one of two towers, or lacks weights.
    """
    from transformers import AutoModel

    config = read_json(folder / "config.json")
    if "text_config" in config or "vision_config" in config:
        raise InputError(
            f"{folder}: a model of several towers ('{config.get('model_type')}'); save the tower that is to be used in "
            "a folder of its own"
        )

    def load() -> Any:
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
    from transformers import AutoTokenizer

    return _read(
        folder,
        "tokenizer",
        lambda: AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False),
    )


def _read(folder: Path, what: str, load: Callable[[], Any]) -> Any:
    """Load with the progress bar off and the global generator left alone; any failure is about the folder."""
    try:
        with torch.random.fork_rng(devices=[]), _no_progress_bar():
            return load()
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, TypeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"{folder}: no {what} that transformers can read is in this folder ({reason})") from None


@contextmanager
def _no_progress_bar() -> Any:
    from transformers.utils import logging as transformers_logging

    logging: Any = transformers_logging  # untyped

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
