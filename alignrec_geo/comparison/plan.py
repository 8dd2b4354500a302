"""The plan of a comparison: what is trained, on what, how often. Two plans are compared, never merged by guessing."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from alignrec_geo.comparison.row_name import parse_row
from alignrec_geo.errors import InputError
from alignrec_geo.evaluation.protocols import Protocol
from alignrec_geo.files import atomic_path
from alignrec_geo.settings import Settings, checked, read_yaml
from alignrec_geo.training.run_config import SECTIONS, RunConfig


class ModelPlan(Settings):
    """How one model takes part."""

    features: list[str]
    """Feature matrices it gets; none if it uses none."""
    parameters: dict[str, Any]
    """Its settings, all of them."""
    training: dict[str, Any]
    """Its settings of the training loop, all of them."""
    kernels: dict[str, Any]
    """Which backend runs each operation."""
    search_space: dict[str, list[Any]]
    """The values its trials choose from, by setting; the first ones are the defaults. Empty: no trials."""


class Plan(Settings):
    """What a comparison does; ``comparison.yaml``."""

    version: int = 1
    """Version of this layout."""
    command: str
    """The command that asks for it."""
    dataset: str
    """Path of the data set folder."""
    fingerprint: str
    """SHA-256 of its pairs, split and ids."""
    features: dict[str, str]
    """SHA-256 of the feature matrices, by name."""
    protocol: Protocol
    """Ranking protocol of validation and test."""
    reference: str
    """The model the others are compared with."""
    tuning: bool = False
    """Whether it is a search for settings: trials alone, several at a time, and pruned."""
    trials: int = Field(ge=0)
    """Trials per model that has a search space."""
    seeds: int = Field(ge=0)
    """Final runs per model; their seeds are 1, 2, …"""
    threads: int = Field(ge=1)
    """Threads of every run: results are equal bit for bit for equal numbers of threads only."""
    models: dict[str, ModelPlan]
    """The models, by name."""

    def config(self, model: str, seed: int, settings: Mapping[str, Any]) -> RunConfig:
        """The configuration of a run: the model's settings, then those of a trial.

        Raises:
            InputError: a trial has settings that are not in the model's search space: its record is damaged.
        """
        own = self.models[model]
        for name, value in settings.items():
            if value not in own.search_space.get(name, []):
                raise InputError(f"a trial of '{model}' is damaged: {name} cannot be {value!r:.80}")
        given = {
            "dataset": self.dataset,
            "model": parse_row(model).model,
            "features": own.features,
            "protocol": self.protocol.value,
            "seed": seed,
            "parameters": own.parameters,
            "training": own.training,
            "kernels": own.kernels,
        }
        return RunConfig.resolve(given).changed(settings)

    def tuned(self, model: str) -> bool:
        """Whether the model gets trials."""
        return self.trials > 0 and bool(self.models[model].search_space)

    def save(self, path: Path) -> None:
        """Write ``comparison.yaml``, atomically."""
        with atomic_path(path) as staging:
            staging.write_text(yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "Plan":
        """Read ``comparison.yaml``.

        Raises:
            InputError: it is missing or damaged.
        """
        return checked(cls, read_yaml(path), prefix=f"{path}: ")


FREE = ("command", "dataset", "threads")
"""Fields that a later command may change: the fingerprint tells data sets apart; threads stay as they were."""
GROWING = ("trials", "seeds")
"""Fields that a later command may raise."""


def continue_plan(stored: Plan, wanted: Plan, where: Path) -> Plan:
    """The plan of a folder that has one already, with the models, trials and seeds that ``wanted`` adds.

    Args:
        stored: the plan of the folder.
        wanted: the plan that a new command asks for.
        where: the folder, for messages.

    Raises:
        InputError: ``wanted`` is not ``stored`` with more runs; names the first difference.
    """
    before, now = _completed(stored).model_dump(mode="json"), wanted.model_dump(mode="json")
    for key in GROWING:
        if now[key] < before[key]:
            raise InputError(f"{where} was planned with {before[key]} {key}; more are fine, fewer not (got {now[key]})")
    for name in before["models"]:
        if name not in now["models"]:
            raise InputError(f"{where} compares '{name}' too; name at least the models {', '.join(before['models'])}")
    now["models"] = {name: now["models"][name] for name in before["models"]}
    for key in (key for key in before if key not in (*FREE, *GROWING)):
        for path, was, wants in _differences(key, before[key], now[key]):
            raise InputError(f"{where} was planned otherwise: {path} was {was!r}, now {wants!r}; name a new folder")
    models = {name: wanted.models[name] for name in [*stored.models, *wanted.models]}
    return wanted.model_copy(update={"models": models, "threads": stored.threads})


def _completed(plan: Plan) -> Plan:
    """The plan with the defaults of settings that there were not yet when it was made."""
    models = {}
    for name, own in plan.models.items():
        config = plan.config(name, seed=1, settings={}).model_dump(mode="json")
        models[name] = own.model_copy(update={section: config[section] for section in SECTIONS})
    return plan.model_copy(update={"models": models})


def _differences(path: str, before: Any, now: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, dict) and isinstance(now, dict):
        for key in [*before, *(key for key in now if key not in before)]:
            yield from _differences(f"{path}.{key}", before.get(key), now.get(key))
    elif before != now:
        yield path, before, now
