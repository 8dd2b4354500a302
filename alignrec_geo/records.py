"""What a run leaves in JSON, checked when it is read: a damaged file is one error that names it, and the line."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from alignrec_geo.errors import InputError
from alignrec_geo.files import read_json
from alignrec_geo.json_text import parse_json
from alignrec_geo.reading import check_plain_file, reading
from alignrec_geo.settings import Model, checked

Metrics = dict[str, FiniteFloat]
"""Values by name, ``recall@20`` for example."""


class Record(BaseModel):
    """Of what a file holds, the fields that are read here; there may be more."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)


class EpochRecord(Record):
    """A line of ``metrics.jsonl``."""

    epoch: int = Field(ge=0)
    loss: Metrics
    validation: Metrics | None = None
    seconds: FiniteFloat


class RunResult(Record):
    """``result.json``: how training ended."""

    metrics: Metrics
    validation: Metrics
    best_epoch: int
    epochs: int
    seconds: FiniteFloat
    chosen_by: str | None = None
    parameters: int | None = None
    machine: dict[str, Any] | None = None
    command: str | None = None


def read_record(path: Path, kind: type[Model]) -> dict[str, Any]:
    """Read a JSON file and check it.

    Args:
        path: the file.
        kind: what it holds.

    Raises:
        InputError: it is missing, is not JSON, or holds something else; names the file and the field.
    """
    return _checked(read_json(path), kind, path)


def read_epochs(path: Path) -> list[dict[str, Any]]:
    """Read the epochs of ``metrics.jsonl``; none where there is no such file.

    A last line without its end is what a run that was killed leaves, and is left out.

    Raises:
        InputError: a line is no record of an epoch; names the file and the line.
    """
    if not path.exists():
        return []
    check_plain_file(path, "log of epochs")
    with reading(path, "log of epochs"):
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    labels = (f"{path}, line {number}" for number in range(1, len(lines) + 1))
    return [_checked(parse_json(line, label), EpochRecord, label) for line, label in zip(lines, labels, strict=True)]


def _checked(value: Any, kind: type[Model], label: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{label}: holds a {type(value).__name__}; a JSON object is needed")
    checked(kind, value, prefix=f"{label}: ")
    return value
