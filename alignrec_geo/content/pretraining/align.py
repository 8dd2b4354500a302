"""Stage 1 from end to end: pre-train, encode every item, store the vectors and the encoder."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file

from alignrec_geo.content.item_encoder import PRETRAINED
from alignrec_geo.content.pretraining.encoder_folder import MODEL, encoder_to_itself
from alignrec_geo.content.pretraining.loop import LAST, PretrainConfig, PretrainResult, pretrain
from alignrec_geo.content.pretraining.task import PretrainTask
from alignrec_geo.dataset.features import Features
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.files import atomic_path
from alignrec_geo.nn.whitening import Whitening
from alignrec_geo.observer import Observer


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
    observers: Iterable[Observer] = (),
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
        observers: told of every step and epoch.

    An encoder that is replaced stays as it is until the new one has finished an epoch, its features until the new
    ones are complete.

    Raises:
        InputError: the name is taken or not allowed, another process is at it, the run to resume had other settings, or
            there is too little to learn from.
        TrainingDiverged: the loss is not finite.
    """
    settings = config or PretrainConfig()
    folder = dataset.encoder_folder(name)
    spec = {
        "kind": kind,
        "seed": seed,
        "shrink": shrink,
        "loop": settings.model_dump(),
        "dataset": dataset.fingerprint(),
        "task": task.config(),
    }
    with encoder_to_itself(dataset, folder, name, spec, resume, overwrite) as (place, settle):
        task.save(place)
        result = pretrain(task, settings, seed, place, resume, observers, settle)
        folder = settle()
        rows = np.flatnonzero(task.present()).astype(np.int64)
        vectors = task.vectors(rows)
        whitening = None if shrink is None else Whitening.fit(vectors, shrink)
        _save_model(folder / MODEL, task, whitening)
        features = _features(dataset, rows, vectors if whitening is None else whitening(vectors), name, spec, result)
        stored = dataset.store_features(features, overwrite=overwrite or resume)
        (folder / LAST).unlink(missing_ok=True)  # last: until here a process that is killed goes on from it
    return Aligned(stored, features, result)


def _save_model(path: Path, task: PretrainTask, whitening: Whitening | None) -> None:
    tensors = {name: part.detach().cpu().contiguous() for name, part in task.model.state_dict().items()}
    if whitening is not None:
        tensors |= whitening.tensors()
    with atomic_path(path) as staging:
        save_file(tensors, staging)


def _features(
    dataset: Dataset, rows: Any, vectors: torch.Tensor, name: str, spec: dict[str, Any], result: PretrainResult
) -> Features:
    matrix = np.zeros((dataset.interactions.n_items, vectors.shape[1]), dtype=np.float32)
    present = np.zeros(len(matrix), dtype=np.bool_)
    matrix[rows], present[rows] = vectors.numpy(), True
    meta = {
        "made by": PRETRAINED,
        "from": " and ".join(spec["task"].get("modalities", [])) or spec["kind"],
        "encoder": f"{spec['kind']}, {len(result.history)} epochs, seed {spec['seed']}",
        "whitening": "none" if spec["shrink"] is None else f"shrinkage {spec['shrink']}",
    }
    return Features(name, matrix, present, meta)
