"""Stage 1 from end to end: pre-train, encode every item, store the vectors and the encoder."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file

from alignrec_geo.content.pretrain import LAST, PretrainConfig, PretrainResult, Watcher, pretrain
from alignrec_geo.content.task import PretrainTask
from alignrec_geo.content.whitening import Whitening
from alignrec_geo.dataset.features import Features
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.files import atomic_path, read_json, write_json

CONFIG, MODEL = "config.json", "model.safetensors"
MADE_BY = "pretrain"


class Aligned(NamedTuple):
    """What :func:`align` made."""

    dataset: Dataset
    """The data set, with the features stored."""
    features: Features
    """One vector per item."""
    result: PretrainResult
    """How pre-training went."""


def align(
    dataset: Dataset,
    task: PretrainTask,
    kind: str,
    name: str,
    config: PretrainConfig | None = None,
    shrink: float | None = 0.1,
    seed: int = 0,
    resume: bool = False,
    overwrite: bool = False,
    watchers: Iterable[Watcher] = (),
) -> Aligned:
    """Pre-train ``task`` and store what it makes of every item.

    The folder ``encoders/NAME`` of the data set gets the encoder (``config.json``, ``model.safetensors``) and
    ``metrics.jsonl``; ``features/NAME.safetensors`` the vectors.

    Args:
        dataset: as stored.
        task: made for this data set.
        kind: ``package``, ``features``, ``beit3-tiny`` or ``beit3-base``: how the encoder is opened again.
        name: of the features and the encoder.
        config: settings of the loop.
        shrink: shrinkage of the whitening; ``None`` stores the vectors as the encoder gives them.
        seed: of everything that is drawn.
        resume: go on with a run that was cut off.
        overwrite: replace features and encoder of that name.
        watchers: told of every step and epoch.

    Raises:
        InputError: the name is taken, the run to resume had other settings, or there is too little to learn from.
        TrainingDiverged: the loss is not finite.
    """
    settings = config or PretrainConfig()
    folder = dataset.encoder_folder(name)
    said = {
        "kind": kind,
        "seed": seed,
        "shrink": shrink,
        "loop": settings.model_dump(),
        "dataset": dataset.fingerprint(),
        "task": task.config(),
    }
    _prepare(dataset, folder, name, said, resume, overwrite)
    task.save(folder)
    result = pretrain(task, settings, seed, folder, resume, watchers)
    rows = np.flatnonzero(task.present()).astype(np.int64)
    vectors = task.vectors(rows)
    whitening = None if shrink is None else Whitening.fit(vectors, shrink)
    _save_model(folder / MODEL, task, whitening)
    features = _features(dataset, rows, vectors if whitening is None else whitening(vectors), name, said, result)
    (folder / LAST).unlink(missing_ok=True)
    return Aligned(dataset.store_features(features, overwrite=overwrite or resume), features, result)


def refuse_taken(dataset: Dataset, name: str, allowed: bool) -> None:
    """Refuse a name that is taken.

    Args:
        dataset: as stored.
        name: of features and encoder.
        allowed: what is there may be continued or replaced.

    Raises:
        InputError: there are features or an encoder of that name, and ``allowed`` is false.
    """
    if allowed or not ((dataset.encoder_folder(name) / CONFIG).exists() or name in dataset.feature_names):
        return
    raise InputError(
        f"data set '{dataset.name}' has an encoder or features '{name}' already; pass --resume to go on, "
        "--overwrite to replace them, or another --name"
    )


def _prepare(dataset: Dataset, folder: Path, name: str, said: dict[str, Any], resume: bool, overwrite: bool) -> None:
    """Refuse to replace what is there, or to go on with something else; write ``config.json``."""
    there = (folder / CONFIG).exists()
    if resume and there:
        before, now = read_json(folder / CONFIG), _plain(said)
        changed = [key for key in now if before.get(key) != now[key]]
        if changed:
            key = changed[0]
            raise InputError(f"{folder} was started with other settings: {key} was {before.get(key)}, now {now[key]}")
        return
    refuse_taken(dataset, name, overwrite)
    for file in (LAST, MODEL):
        (folder / file).unlink(missing_ok=True)
    write_json(folder / CONFIG, said)


def _plain(value: dict[str, Any]) -> Any:
    """What JSON makes of it: tuples are lists."""
    import json

    return json.loads(json.dumps(value))


def _save_model(path: Path, task: PretrainTask, whitening: Whitening | None) -> None:
    tensors = {name: part.detach().cpu().contiguous() for name, part in task.model.state_dict().items()}
    if whitening is not None:
        tensors |= whitening.tensors()
    with atomic_path(path) as staging:
        save_file(tensors, staging)


def _features(
    dataset: Dataset, rows: Any, vectors: torch.Tensor, name: str, said: dict[str, Any], result: PretrainResult
) -> Features:
    matrix = np.zeros((dataset.interactions.n_items, vectors.shape[1]), dtype=np.float32)
    present = np.zeros(len(matrix), dtype=np.bool_)
    matrix[rows], present[rows] = vectors.numpy(), True
    meta = {
        "made by": MADE_BY,
        "from": " and ".join(said["task"].get("modalities", [])) or said["kind"],
        "encoder": f"{said['kind']}, {len(result.history)} epochs, seed {said['seed']}",
        "whitening": "none" if said["shrink"] is None else f"shrinkage {said['shrink']}",
    }
    return Features(name, matrix, present, meta)
