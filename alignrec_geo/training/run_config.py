"""The resolved settings of a run: from a YAML file, from ``key=value`` pairs, and checked as a whole."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, Field, SerializeAsAny

from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.evaluation.protocols import Protocol
from alignrec_geo.files import atomic_path
from alignrec_geo.kernels.config import KernelConfig
from alignrec_geo.models import find_model, model_name
from alignrec_geo.models.base import ModelConfig, Recommender
from alignrec_geo.nn.class_path import named_paths, refuse_code
from alignrec_geo.settings import Settings, check_keys, checked, current_names, home_of, parse_setting, read_yaml
from alignrec_geo.training.config import TrainingConfig

ORIGIN = ("warm_start", "warm_start_keep")
"""What says where a run began; a run that takes over its settings does not."""
SECTIONS = ("parameters", "training", "kernels")


class RunConfig(Settings):
    """Everything that determines a run; ``config.yaml`` of the run folder."""

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
    refit: bool = False
    """Train on the pairs of all splits, for use: nothing is measured."""
    warm_start: str | None = None
    """Run folder whose parameters the model began with (made by ``update``)."""
    warm_start_keep: float = Field(default=1.0, ge=0, le=1)
    """Share of those parameters in the first ones; the rest are fresh initial values."""
    parameters: SerializeAsAny[ModelConfig] = ModelConfig()
    """Settings of the model."""
    training: TrainingConfig = TrainingConfig()
    """Settings of the training loop."""
    kernels: KernelConfig = KernelConfig()
    """Which backend runs each operation."""

    @classmethod
    def resolve(
        cls, given: Mapping[str, Any], settings: Iterable[str] = (), untrusted: Path | None = None
    ) -> "RunConfig":
        """Check settings and fill in defaults.

        Args:
            given: the layout of ``config.yaml``; sections may be missing.
            settings: ``key=value`` pairs that override it. A key is ``SECTION.NAME``, or just
                ``NAME``; the value is YAML.
            untrusted: the file that ``given`` was read from, if class paths that only it names are to be refused.

        Raises:
            InputError: unknown model or key, an impossible value, or code of an untrusted file; the message names the
                key, what was given and what is allowed.
        """
        values: dict[str, Any] = {key: value for key, value in given.items() if value is not None or key == "features"}
        model = find_model(str(values.get("model", "alignrec")))
        sections = sections_of(model)
        for name in SECTIONS:
            section = values.get(name) or {}
            if not isinstance(section, Mapping):
                raise InputError(f"'{name}' must hold key: value pairs (got {section!r})")
            values[name] = current_names(section, sections[name])
        values["training"] = {**model.config_class.training_defaults, **values["training"]}
        trusted: set[str] = set()
        for setting in settings:
            section, key, value = parse_setting(setting, sections)
            values[section][key] = value
            trusted.update(named_paths(value))
        if untrusted is not None:
            refuse_code(values["parameters"], untrusted, trusted)
        for name, kind in sections.items():
            check_keys(name, values[name], kind)
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
        warm_start: str | None = None,
        warm_start_keep: float = 1.0,
    ) -> "RunConfig":
        """The settings of a run that starts now."""
        return cls(
            dataset=None if dataset.path is None else str(dataset.path.resolve()),
            model=model_name(type(model)),
            features=list(model.features),
            protocol=protocol,
            seed=seed,
            refit=dataset.split_config.rule == "all-train",
            warm_start=warm_start,
            warm_start_keep=warm_start_keep,
            parameters=model.config,
            training=training,
            kernels=kernels,
        )

    @classmethod
    def load(cls, path: Path, trust: bool = False) -> "RunConfig":
        """Read a complete ``config.yaml``.

        Args:
            path: the file.
            trust: accept class paths, whose code runs when the model is built. Only for files of one's own, and where
                no model is built.

        Raises:
            InputError: the file is missing, is not YAML, holds a wrong setting, or names code and is not trusted.
        """
        return cls.resolve(read_yaml(path), untrusted=None if trust else path)

    def differences(self, other: "RunConfig") -> dict[str, tuple[Any, Any]]:
        """Return what is another in ``other``: its value here and there, by the setting's whole name.

        Where the data set lies and what the run began with do not count.
        """
        here, there = flat_settings(self), flat_settings(other)
        names = [name for name in {**here, **there} if name not in ("dataset", *ORIGIN)]
        pairs = {name: (here.get(name), there.get(name)) for name in names}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}

    def save(self, path: Path) -> None:
        """Write ``config.yaml``, atomically."""
        with atomic_path(path) as staging:
            staging.write_text(yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False), encoding="utf-8")


def flat_settings(config: RunConfig) -> dict[str, Any]:
    """Every setting of a run by its whole name, ``training.lr`` for example."""
    return dict(_flat(config.model_dump(mode="json")))


def _flat(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Settings by their whole names: sections joined by dots, other values as they are."""
    for name, value in values.items():
        if name in SECTIONS and isinstance(value, Mapping):
            yield from ((f"{name}.{key}", inner) for key, inner in value.items())
        else:
            yield name, value


def has_setting(model: type[Recommender], path: str) -> bool:
    """Whether a run of the model has the setting ``SECTION.NAME`` or, in any section, ``NAME``."""
    return home_of(path, sections_of(model)) is not None


def sections_of(model: type[Recommender]) -> dict[str, type[BaseModel]]:
    """The classes of a run's settings, by section."""
    return dict(zip(SECTIONS, (model.config_class, TrainingConfig, KernelConfig), strict=True))
