"""The resolved settings of a run: from a YAML file, from ``key=value`` pairs, and checked as a whole."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny

from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.evaluation.protocols import Protocol
from alignrec_geo.files import atomic_path
from alignrec_geo.kernels.config import KernelConfig
from alignrec_geo.models import find_model, model_name
from alignrec_geo.models.base import ModelConfig, Recommender
from alignrec_geo.training.config import TrainingConfig
from alignrec_geo.validation import checked

CONFIG = "config.yaml"
SECTIONS = ("parameters", "training", "kernels")


class RunConfig(BaseModel):
    """Everything that determines a run; ``config.yaml`` of the run folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: str | None = None
    """Path of the data set folder, ``null`` if it was only in memory."""
    model: str = "alignrec"
    """Name of the model."""
    features: list[str] | None = None
    """Feature matrices to use; ``null`` takes all that the data set has, an empty list none."""
    protocol: Protocol = Protocol.CLEAN
    """Ranking protocol of validation and test."""
    seed: int = Field(default=0, ge=0)
    """Seed of the initial parameters, of shuffling and of negatives."""
    parameters: SerializeAsAny[ModelConfig] = ModelConfig()
    """Settings of the model."""
    training: TrainingConfig = TrainingConfig()
    """Settings of the training loop."""
    kernels: KernelConfig = KernelConfig()
    """Which backend runs each operation."""

    @classmethod
    def resolve(cls, given: Mapping[str, Any], settings: Iterable[str] = ()) -> "RunConfig":
        """Check settings and fill in defaults.

        Args:
            given: the layout of ``config.yaml``; sections may be missing.
            settings: ``key=value`` pairs that override it. A key is ``SECTION.NAME``, or just
                ``NAME``; the value is YAML.

        Raises:
            InputError: unknown model or key, or an impossible value; the message names the key, what was given and what
                is allowed.
        """
        values: dict[str, Any] = {key: value for key, value in given.items() if value is not None or key == "features"}
        model = find_model(str(values.get("model", "alignrec")))
        sections = _sections(model)
        for name in SECTIONS:
            section = values.get(name) or {}
            if not isinstance(section, Mapping):
                raise InputError(f"'{name}' must hold key: value pairs (got {section!r})")
            values[name] = dict(section)
        values["training"] = {**model.config_class.training_defaults, **values["training"]}
        for setting in settings:
            section, key, value = _parse_setting(setting, sections)
            values[section][key] = value
        for name, kind in sections.items():
            _check_keys(name, values[name], kind)
            values[name] = checked(kind, values[name], section=name)
        return checked(cls, values)

    def changed(self, settings: Mapping[str, Any]) -> "RunConfig":
        """The same run with other settings: ``NAME`` is one of the model, ``training.NAME`` one of the training loop.

        Raises:
            InputError: a setting is unknown, or its value impossible.
        """
        values = self.model_dump(mode="json")
        for path, value in settings.items():
            section, _, key = path.rpartition(".")
            values.setdefault(section or "parameters", {})[key] = value
        return RunConfig.resolve(values)

    @classmethod
    def of(
        cls,
        model: Recommender,
        dataset: Dataset,
        training: TrainingConfig,
        kernels: KernelConfig,
        protocol: Protocol,
        seed: int,
    ) -> "RunConfig":
        """The settings of a run that starts now."""
        return cls(
            dataset=None if dataset.path is None else str(dataset.path.resolve()),
            model=model_name(type(model)),
            features=list(model.features),
            protocol=protocol,
            seed=seed,
            parameters=model.config,
            training=training,
            kernels=kernels,
        )

    @classmethod
    def load(cls, path: Path) -> "RunConfig":
        """Read a complete ``config.yaml``.

        Raises:
            InputError: the file is missing, is not YAML, or holds a wrong setting.
        """
        return cls.resolve(read_yaml(path))

    def save(self, path: Path) -> None:
        """Write ``config.yaml``, atomically."""
        with atomic_path(path) as staging:
            staging.write_text(yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False), encoding="utf-8")


def has_setting(model: type[Recommender], path: str) -> bool:
    """Whether a run of the model has the setting ``SECTION.NAME`` or, in any section, ``NAME``."""
    return _home(path, _sections(model)) is not None


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file of settings.

    Raises:
        InputError: the file is missing, or is not a YAML mapping.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: settings must be key: value pairs (got {type(content).__name__})")
    return content


def _parse_setting(setting: str, sections: Mapping[str, type[BaseModel]]) -> tuple[str, str, Any]:
    path, equals, text = setting.partition("=")
    if not equals or not path:
        raise InputError(f"--set takes key=value (got '{setting}')")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise InputError(f"--set {path}: '{text}' is not a value") from None
    home = _home(path, sections)
    if home is None:
        raise _unknown_key(path, [f"{name}.{key}" for name, kind in sections.items() for key in kind.model_fields])
    return *home, value


def _sections(model: type[Recommender]) -> dict[str, type[BaseModel]]:
    return dict(zip(SECTIONS, (model.config_class, TrainingConfig, KernelConfig), strict=True))


def _home(path: str, sections: Mapping[str, type[BaseModel]]) -> tuple[str, str] | None:
    """The section and the name of a setting."""
    section, dot, key = path.rpartition(".")
    homes = [name for name, kind in sections.items() if key in kind.model_fields and (not dot or name == section)]
    return (homes[0], key) if homes else None


def _check_keys(section: str, values: Mapping[str, Any], kind: type[BaseModel]) -> None:
    for key in values:
        if key not in kind.model_fields:
            raise _unknown_key(f"{section}.{key}", [f"{section}.{name}" for name in kind.model_fields])


def _unknown_key(key: str, known: list[str]) -> InputError:
    plain = {setting.rpartition(".")[2]: setting for setting in known}
    name = key.rpartition(".")[2]
    close = get_close_matches(name, plain, n=1) or [known for known in plain if name in known]
    hint = f" (did you mean '{plain[close[0]]}'?)" if close else ""
    return InputError(f"unknown setting '{key}'{hint}; there are: {', '.join(known)}")
