"""A search space of one's own, from a YAML file."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationInfo, field_validator

from alignrec_geo.errors import InputError
from alignrec_geo.models import find_model
from alignrec_geo.nn.class_path import refuse_code
from alignrec_geo.settings import Settings, checked, parse_setting, read_yaml
from alignrec_geo.training.run_config import RunConfig, sections_of


class Range(Settings):
    """Equally spaced values from ``low`` to ``high``, both included."""

    low: float
    """The least value."""
    high: float
    """The largest value."""
    steps: int = Field(default=5, ge=2, le=1000)
    """How many values."""
    log: bool = False
    """Space the logarithms equally."""

    @field_validator("high")
    @classmethod
    def _above(cls, value: float, info: ValidationInfo) -> float:
        if "low" in info.data and value <= info.data["low"]:
            raise ValueError(f"must be more than low, which is {info.data['low']:g}")
        return value

    @field_validator("log")
    @classmethod
    def _positive(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("low", 1.0) <= 0:
            raise ValueError(f"logarithms need a low above 0, which is {info.data['low']:g}")
        return value

    def values(self, whole: bool) -> list[float] | list[int]:
        """The values, rounded to six digits; ``whole`` ones to whole numbers, each once.

        Example:
            >>> Range(low=1e-4, high=0.1, steps=4, log=True).values(whole=False)
            [0.0001, 0.001, 0.01, 0.1]
            >>> Range(low=1, high=4, steps=9).values(whole=True)
            [1, 2, 3, 4]
        """
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        points = [low + (high - low) * step / (self.steps - 1) for step in range(self.steps)]
        numbers = [float(f"{math.exp(point) if self.log else point:.6g}") for point in points]
        return list(dict.fromkeys(round(number) for number in numbers)) if whole else numbers


def read_space(path: Path, model: str, trust: bool = False) -> dict[str, list[Any]]:
    """Read a search space: the values that trials choose from, by setting.

    A setting is ``NAME`` or ``SECTION.NAME``; its values are a list, or a range ``{low: …, high: …, steps: …,
    log: …}``.

    Args:
        path: YAML file.
        model: name of the model whose settings they are.
        trust: accept class paths, whose code runs when the model is built. Only for files of one's own.

    Returns:
        Values by setting, as :attr:`~alignrec_geo.models.base.ModelConfig.search_space` names them.

    Raises:
        InputError: no such file, an unknown setting, one that is named twice, no values, an impossible one, or code
            that is not trusted; names the file and the key.
    """
    sections, plain = sections_of(find_model(model)), RunConfig.resolve({"model": model})
    space: dict[str, list[Any]] = {}
    for key, given in read_yaml(path).items():
        with _naming(path):
            section, name, _ = parse_setting(f"{key}=0", sections)
        full = name if section == "parameters" else f"{section}.{name}"
        if full in space:
            raise InputError(f"{path}: '{full}' is named twice, once as '{key}'")
        space[full] = _values(path, key, given, whole=sections[section].model_fields[name].annotation is int)
        with _naming(path):
            for value in space[full]:
                plain.changed({full: value})
    if not trust:
        refuse_code(space, path)
    if not space:
        raise InputError(f"{path}: names no setting; a search space is setting: [values]")
    return space


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Errors begin with the file."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _values(path: Path, key: str, given: Any, whole: bool) -> list[Any]:
    if isinstance(given, Mapping):
        return list(checked(Range, given, section=key, prefix=f"{path}: ").values(whole))
    if not isinstance(given, list) or not given:
        raise InputError(
            f"{path}: {key}: a list of values is needed, or a range such as {{low: 0.001, high: 0.1, log: true}} "
            f"(got {given!r:.80})"
        )
    return [value for number, value in enumerate(given) if value not in given[:number]]
