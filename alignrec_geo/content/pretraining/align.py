"""Stage 1 from end to end: pre-train, encode every item, store the vectors and the encoder."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file

from alignrec_geo.content.item_encoder import PRETRAINED
from alignrec_geo.content.pretraining.former import up_to_date
from alignrec_geo.content.pretraining.loop import HISTORY, LAST, PretrainConfig, PretrainResult, pretrain
from alignrec_geo.content.pretraining.task import PretrainTask
from alignrec_geo.content.pretraining.whitening import Whitening
from alignrec_geo.dataset.features import Features
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.files import atomic_path, read_json, write_json
from alignrec_geo.folders import FolderKind, check_links, folder_target, is_vacant, new_folder
from alignrec_geo.locks import LOCK, in_use, sole
from alignrec_geo.observer import Observer
from alignrec_geo.staging import sweep_inside

CONFIG, MODEL = "config.json", "model.safetensors"


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
    with _encoder_to_itself(dataset, folder, name, spec, resume, overwrite) as (place, settle):
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


def check_name_free(dataset: Dataset, name: str, allowed: bool) -> None:
    """Refuse a name that features cannot have or that is taken, before the work.

    Args:
        dataset: as stored.
        name: of features and encoder.
        allowed: what is there may be continued or replaced.

    Raises:
        InputError: features cannot have that name; there are features or an encoder of it and ``allowed`` is false; or
            another process is at it.
    """
    folder = dataset.encoder_folder(name)
    if in_use(folder / LOCK):
        raise InputError(_busy(folder))
    if not allowed and ((folder / CONFIG).exists() or name in dataset.feature_names):
        raise InputError(
            f"data set '{dataset.name}' has an encoder or features '{name}' already; pass resume=True to go on, "
            "overwrite=True to replace them, or another name="
        )
    if folder.is_dir() and not is_vacant(folder):
        check_links(folder)
        problem = ENCODER.problem(folder)
        if problem is not None:
            raise InputError(f"{folder}: cannot be used: the folder {problem}")
    else:
        folder_target(folder, ENCODER)


@contextmanager
def _encoder_to_itself(
    dataset: Dataset, folder: Path, name: str, spec: dict[str, Any], resume: bool, overwrite: bool
) -> Iterator[tuple[Path, Callable[[], Path]]]:
    """Keep other processes away from an encoder, and refuse to go on with something else.

    Yields:
        Where it is made, and what moves it to its place, which is told; a new one comes there once it has something.
    """
    check_name_free(dataset, name, resume or overwrite)
    if resume and (folder / CONFIG).exists():
        with sole(folder / LOCK, _busy(folder)):
            before, now = up_to_date(read_json(folder / CONFIG)), _plain(spec)
            changed = [key for key in now if before.get(key) != now[key]]
            if changed:
                key = changed[0]
                raise InputError(
                    f"{folder} was started with other settings: {key} was {before.get(key)}, now {now[key]}"
                )
            sweep_inside(folder)
            yield folder, lambda: folder
        return
    with new_folder(folder, ENCODER, overwrite=True) as made, sole(made.path / LOCK, _busy(folder)) as lock:
        write_json(made.path / CONFIG, spec)

        def settle() -> Path:
            lock.path = made.settle() / LOCK
            return folder

        yield made.path, settle


def _busy(folder: Path) -> str:
    return f"{folder}: another process is pre-training this encoder; wait until it has ended"


def _problem(folder: Path) -> str | None:
    """What keeps a folder from being an encoder and nothing else."""
    if not (folder / CONFIG).is_file():
        return f"has no {CONFIG}"
    config = read_json(folder / CONFIG)
    ours = isinstance(config, dict) and {"kind", "seed", "loop", "task"} <= set(config)
    return ENCODER.foreign(folder) if ours else f"holds a {CONFIG} that is not of an encoder"


@contextmanager
def _guard(folder: Path) -> Iterator[None]:
    with sole(folder / LOCK, _busy(folder)):
        yield


ENCODER = FolderKind(
    name="pre-trained encoder",
    problem=_problem,
    owns=(*map(re.escape, (CONFIG, MODEL, LAST, HISTORY, "tokenizer.json")),),
    guard=_guard,
)


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
