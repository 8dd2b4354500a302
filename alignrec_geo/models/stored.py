"""A trained model, back from its run folder."""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from alignrec_geo.checkpoint import load_trainable
from alignrec_geo.dataset.splits import SplitConfig
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.graph.modalities import feature_list
from alignrec_geo.models.base import Recommender
from alignrec_geo.models.registry import find_model
from alignrec_geo.nn.class_path import refuse_code
from alignrec_geo.serving.store import DATASET, EMBEDDINGS
from alignrec_geo.settings import read_yaml
from alignrec_geo.tensors import read_tensors

CONFIG = "config.yaml"
BEST = Path("checkpoint") / "best.safetensors"


def load(path: str | PathLike[str], dataset: Any = None, trust: bool = False) -> Recommender:
    """Return the model of a run folder with the parameters of the chosen epoch, in evaluation mode.

    The model is built again on its data set, which must be where it was or be given: a run folder keeps ids and
    interactions, not the content.

    Args:
        path: run folder of ``fit(model, out=…)`` or of ``alignrec-geo train``.
        dataset: the data set, or its folder, if it was moved.
        trust: run code (class paths of layers) that the folder names. Only for folders of one's own.

    Raises:
        InputError: no run folder, no data set, another data set, a part that was given as an object, or untrusted code.

    Example:
        >>> from alignrec_geo import load
        >>> load("runs/tiktok").recommend("42")  # doctest: +SKIP
    """
    folder = _run_folder(path)
    config = read_yaml(folder / CONFIG)
    parameters = config.get("parameters") or {}
    if not isinstance(parameters, Mapping):
        raise InputError(f"{folder / CONFIG}: 'parameters' must hold key: value pairs (got {parameters!r:.80})")
    if not trust:
        refuse_code(parameters, folder / CONFIG)
    kind = find_model(str(config.get("model")))
    features = feature_list(config.get("features"))
    content = bool(features) and kind.uses_features
    data = _data_set(folder, config.get("dataset"), dataset, content, config.get("refit") is True)
    model = kind.from_dataset(data, features, parameters, config.get("seed", 0))
    load_trainable(model, read_tensors(folder / BEST)[0])
    return model.eval()


def _run_folder(path: Any) -> Path:
    if not isinstance(path, str | PathLike):
        raise InputError(f"load takes the path of a run folder (got {path!r:.80})")
    folder = Path(path)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such run folder")
    if not (folder / CONFIG).exists() or not (folder / BEST).exists():
        if (folder / EMBEDDINGS).exists():
            raise InputError(
                f"{folder}: holds tables and ids, no parameters, so no model can be made of it; load_top_items(…) "
                "recommends from them, and fit(model, out=…) leaves a folder that can be loaded"
            )
        raise InputError(f"{folder}: not a run folder with a trained model")
    return folder


def _data_set(folder: Path, stored: Any, given: Any, content: bool, refit: bool) -> Dataset:
    """The data set of the run, with its features if they are needed; its items and pairs must be those of training."""
    if isinstance(given, Dataset):
        data = given
    elif given is not None:
        data = Dataset.open(given)
    elif isinstance(stored, str) and Path(stored).is_dir():
        data = Dataset.open(stored)
    elif content:
        where = f"{stored}: no such folder" if stored else "it was only in memory"
        raise InputError(f"{folder}: the model needs the content of its data set ({where}); pass dataset=…")
    else:
        return Dataset.open(folder / DATASET)
    if refit:
        data = data.with_split(SplitConfig(rule="all-train"))
    if data.fingerprint() != Dataset.open(folder / DATASET).fingerprint():
        raise InputError(
            f"data set '{data.name}' is not the one {folder} was trained on: its items or pairs are others"
        )
    return data
