"""What comparisons that make one result must have: equal facts, and a finished run of every model."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from alignrec_geo.errors import InputError


def must_agree(folders: Sequence[Path], facts: Sequence[Mapping[str, Any]]) -> None:
    """Check that the facts of every folder are those of the first.

    Raises:
        InputError: two folders differ; it names them and the first fact that is not the same.
    """
    for folder, found in zip(folders, facts, strict=True):
        for key, value in found.items():
            if value != facts[0][key]:
                raise InputError(f"{folders[0]} and {folder} differ in {key}: {facts[0][key]} and {value}")


def finished_runs(folder: Path, model: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The runs of a model that did not fail.

    Raises:
        InputError: there is none; it says why the first one failed.
    """
    runs = [run for run in model["runs"] if run["error"] is None]
    if not runs:
        why = f"failed: {model['runs'][0]['error']}" if model["runs"] else "is not trained yet"
        raise InputError(f"{folder}: no run of '{model['name']}' is finished; the first {why}")
    return runs
