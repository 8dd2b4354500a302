"""The folder of an encoder in its data set: who may write there, and what is replaced when."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alignrec_geo.content.pretraining.former import up_to_date
from alignrec_geo.content.pretraining.loop import HISTORY, LAST
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.files import read_json, write_json
from alignrec_geo.folders import FolderKind, check_links, folder_target, is_vacant, new_folder
from alignrec_geo.locks import LOCK, in_use, sole
from alignrec_geo.staging import sweep_inside

CONFIG, MODEL = "config.json", "model.safetensors"


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
def encoder_to_itself(
    dataset: Dataset, folder: Path, name: str, spec: dict[str, Any], resume: bool, overwrite: bool
) -> Iterator[tuple[Path, Callable[[], Path]]]:
    """Keep other processes away from an encoder, and refuse to go on with something else.

    Args:
        dataset: as stored.
        folder: of the encoder.
        name: of features and encoder.
        spec: ``config.json``: what the encoder is.
        resume: go on with one that was cut off.
        overwrite: replace one that is there.

    Yields:
        Where it is made, and what moves it to its place, which is told; a new one comes there once it has something.

    Raises:
        InputError: see :func:`check_name_free`; or the one to go on with had another ``spec``.
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
    return f"{folder}: another process is making this encoder; wait until it has ended"


def _problem(folder: Path) -> str | None:
    """What keeps a folder from being an encoder and nothing else."""
    if not (folder / CONFIG).is_file():
        return f"has no {CONFIG}"
    config = read_json(folder / CONFIG)
    ours = isinstance(config, dict) and {"kind", "task"} <= set(config)
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
    return json.loads(json.dumps(value))
