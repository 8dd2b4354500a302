"""The sizes of a run, from a data set's counts and the settings of training."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open

from alignrec_geo.dataset.manifest import found_manifest, stored_file
from alignrec_geo.dataset.write import feature_file
from alignrec_geo.planning.problem import MODELS, Problem
from alignrec_geo.reading import reading
from alignrec_geo.training.run_config import RunConfig

NAMES = {
    **{name: name for name in ("dim", "layers", "item_layers", "train_features")},
    "neighbours": "k",
}
"""Sizes that are settings of a model, and what they are called there."""


def sizes_of(folder: Path) -> dict[str, int]:
    """Return users, items, training pairs, validated users at most, and columns of all features of a data set.

    Raises:
        InputError: the folder holds none, or one of its feature files is damaged.
    """
    manifest = found_manifest(folder)
    counts, width = manifest.counts, 0
    for name in manifest.feature_names():
        file = stored_file(folder, feature_file(name), manifest)
        with reading(file, "safetensors file"), safe_open(file, framework="np") as stored:
            width += stored.get_slice("matrix").get_shape()[1]
    return {
        "users": counts["users"],
        "items": counts["items"],
        "edges": counts["train"],
        "validated": min(counts["users"], counts["validation"]),
        "width": width,
    }


def problem_of(sizes: Mapping[str, int], model: str, ranks: int = 1, settings: Iterable[str] = ()) -> Problem:
    """Return the problem of a run.

    Args:
        sizes: ``users``, ``items``, ``edges``, and where known ``validated`` and ``width``.
        model: name of the model.
        ranks: number of ranks.
        settings: ``key=value`` pairs as the train verb takes them.

    Raises:
        InputError: a setting is unknown or impossible, or the model's operations are not counted.

    Example:
        >>> problem_of({"users": 9, "items": 9, "edges": 9}, "lightgcn", settings=["dim=32"]).dim
        32
    """
    if model not in MODELS:
        Problem(1, 1, 1, model)  # says which there are
    resolved = RunConfig.resolve({"model": model}, settings)
    chosen = resolved.parameters
    own: dict[str, Any] = {field: getattr(chosen, name) for field, name in NAMES.items() if hasattr(chosen, name)}
    own |= {**sizes, "batch": resolved.training.batch_size}
    return Problem(model=model, ranks=ranks, **own)
