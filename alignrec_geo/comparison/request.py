"""From what a user asks for to a plan in which every setting is resolved and checked."""

from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from alignrec_geo.comparison.plan import ModelPlan, Plan
from alignrec_geo.comparison.row_name import parse_row
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.evaluation.evaluator import Evaluator
from alignrec_geo.evaluation.metrics import CUTOFFS, choose_metrics, require_content
from alignrec_geo.evaluation.protocols import Protocol
from alignrec_geo.files import sha256_of
from alignrec_geo.models import MODELS, find_model
from alignrec_geo.nn.conv import resolve_conv
from alignrec_geo.randomness import seeded
from alignrec_geo.reporting.rows import NON_LEARNED
from alignrec_geo.training.run_config import SECTIONS, RunConfig, has_setting

REFERENCE = "alignrec"
LAYER = "parameters.user_item_conv"
"""The setting that ``MODEL+LAYER`` changes."""
PLAIN = (bool, int, float, str, type(None))
"""Kinds of values that a search space may hold: those Optuna can store."""


def make_plan(
    dataset: Dataset,
    models: Sequence[str],
    features: Sequence[str] | None,
    protocol: str,
    trials: int,
    seeds: int,
    settings: Sequence[str],
    reference: str | None,
    threads: int,
    command: str,
    space: Mapping[str, Sequence[Any]] | None = None,
    tuning: bool = False,
) -> Plan:
    """Check a request and resolve it; nothing is written.

    Args:
        dataset: an open data set folder.
        models: names; ``["all"]`` are all of this package; ``MODEL+LAYER`` has another user-item layer,
            ``MODEL[key=value,…]`` other settings.
        features: names of feature matrices; ``None`` takes all, an empty list none.
        protocol: ``clean`` or ``mmrec``.
        trials: trials per model with a search space; 0 takes the defaults.
        seeds: final runs per model.
        settings: ``key=value`` or ``MODEL.key=value``.
        reference: the model the others are compared with; ``None`` takes :func:`default_reference`.
        threads: threads of every run.
        command: the command that asks for it.
        space: the values that trials choose from in place of the models' own search spaces.
        tuning: whether it is a search for settings alone, without final runs.

    Raises:
        InputError: something unknown or impossible was asked for.
    """
    for name, given, least in (("trials", trials, int(tuning)), ("seeds", seeds, int(not tuning))):
        if given < least:
            raise InputError(f"{name} must be at least {least} (got {given})")
    if trials and find_spec("optuna") is None:
        raise InputError("trials need Optuna, which is not installed: pip install 'alignrec-geo[compare]'")
    names = list(dict.fromkeys(MODELS if list(models) == ["all"] else models))
    if not names:
        raise InputError("no model given; name some, or 'all'")
    for name in names:
        find_model(parse_row(name).model)
    if reference is not None and reference not in names:
        raise InputError(f"the reference must be one of the models compared (got '{reference}'): {', '.join(names)}")
    ranked = Protocol.parse(protocol)
    for split in (Split.VALIDATION, Split.TEST):
        Evaluator(dataset.interactions, split, ranked)
    chosen = dataset.feature_names if features is None else list(dict.fromkeys(features))
    own = _settings_by_model(names, settings)
    planned = {name: _plan_model(name, chosen, own[name], space) for name in names}
    for plan in planned.values():
        measured = [*plan.training["metrics"], plan.training["metric"]]
        require_content(dataset, choose_metrics(measured, CUTOFFS))
    return Plan(
        command=command,
        dataset=str(_folder(dataset).resolve()),
        fingerprint=dataset.fingerprint(),
        features={name: _hash(dataset, name) for name in chosen},
        protocol=ranked,
        reference=reference or default_reference(names),
        tuning=tuning,
        trials=trials,
        seeds=seeds,
        threads=threads,
        models=planned,
    )


def with_layers(models: Sequence[str], layers: Sequence[str]) -> list[str]:
    """The rows of a comparison of user-item layers: every model that can have another, once per layer.

    Args:
        models: names; ``["all"]`` is AlignRec here.
        layers: names of layers, or class paths.

    Raises:
        InputError: no layer is named, or none of the models can have another.

    Example:
        >>> with_layers(["alignrec", "bpr"], ["light", "sage"])
        ['alignrec+light', 'alignrec+sage', 'bpr']
    """
    names = [REFERENCE] if list(models) == ["all"] else list(models)
    able = [name for name in names if has_setting(find_model(name), LAYER)]
    if not layers:
        raise InputError("no layer given; name some, such as light,sage,gatv2")
    if not able:
        raise InputError(f"none of the models has a user-item layer that could be another (got '{','.join(names)}')")
    return [row for name in names for row in ([f"{name}+{layer}" for layer in layers] if name in able else [name])]


def default_reference(names: Sequence[str]) -> str:
    """AlignRec if it takes part, else the first model that learns something, else the first.

    Example:
        >>> default_reference(["popularity", "bpr"])
        'bpr'
    """
    trained = [name for name in names if parse_row(name).model not in NON_LEARNED]
    return REFERENCE if REFERENCE in names else (trained or list(names))[0]


def default_threads(jobs: int, given: bool) -> int:
    """Threads of every run: what ``OMP_NUM_THREADS`` says if it is ``given``, one beside other jobs, else all."""
    return torch.get_num_threads() if given or jobs == 1 else 1


def _plan_model(
    name: str, features: list[str], settings: list[str], own_space: Mapping[str, Sequence[Any]] | None
) -> ModelPlan:
    base, layer, varied = parse_row(name)
    model = find_model(base)
    if layer is not None:
        settings = [*settings, f"{LAYER}={layer}"]
    settings = [*settings, *(_full_setting(base, setting) for setting in varied)]
    plain = RunConfig.resolve({"model": base, "training": {"log_to": []}}, settings)
    if layer is not None:
        with seeded(None):  # tried once here, so that a wrong layer is refused before anything is written
            resolve_conv(layer, int(plain.parameters.model_dump()["dim"]), 1)
    fixed = {_full(setting.partition("=")[0]) for setting in settings}
    values = plain.model_dump(mode="json")
    if own_space is None:
        space = {
            path: _axis(path, choices, _value(values, path))
            for path, choices in model.config_class.search_space.items()
            if _full(path) not in fixed
        }
    else:
        both = [path for path in own_space if _full(path) in fixed]
        if both:
            raise InputError(f"'{both[0]}' is set and searched; take it out of settings= or out of the search space")
        space = {path: _own_axis(path, choices, _value(values, path)) for path, choices in own_space.items()}
    for path, axis in space.items():
        for value in axis:
            plain.changed({path: value})
    return ModelPlan(
        features=list(features) if model.uses_features else [],
        parameters=values["parameters"],
        training=values["training"],
        kernels=values["kernels"],
        search_space=space,
    )


def _axis(path: str, choices: Iterable[Any], default: Any) -> list[Any]:
    """The default, then the other values."""
    return _plain(path, [default, *(value for value in choices if value != default)])


def _own_axis(path: str, choices: Sequence[Any], default: Any) -> list[Any]:
    """The values that were given, the default first if it is among them."""
    return _plain(path, sorted(choices, key=lambda value: value != default))


def _plain(path: str, axis: list[Any]) -> list[Any]:
    for value in axis:
        if not isinstance(value, PLAIN):
            raise InputError(f"a search space holds numbers, texts and truth values ({path}: got {value!r})")
    return axis


def _value(values: dict[str, Any], path: str) -> Any:
    section, _, key = path.rpartition(".")
    return values[section or "parameters"][key]


def _full(path: str) -> str:
    """A setting of a search space under its only name: bare names are the model's."""
    return path.removeprefix("parameters.")


def _settings_by_model(names: Sequence[str], settings: Iterable[str]) -> dict[str, list[str]]:
    """The settings every model gets: ``MODEL.key=value`` that one, ``key=value`` each that has such a setting."""
    own: dict[str, list[str]] = {name: [] for name in names}
    bases = {name: parse_row(name).model for name in names}
    for setting in settings:
        path, equals, value = setting.partition("=")
        head, dot, rest = path.partition(".")
        if not equals or not path:
            raise InputError(f"settings= takes key=value or MODEL.key=value (got '{setting}')")
        having = [name for name, base in bases.items() if has_setting(find_model(base), path)]
        if dot and head not in SECTIONS:
            having = [name for name, base in bases.items() if head == base]
            if not having:
                raise InputError(f"setting {path}: '{head}' is not among the models compared: {', '.join(names)}")
            path = rest
        if not having:
            raise InputError(f"unknown setting '{path}': no model compared has it ({', '.join(names)})")
        for name in having:
            own[name].append(_full_setting(bases[name], f"{path}={value}"))
    return own


def _full_setting(model: str, setting: str) -> str:
    path, _, value = setting.partition("=")
    return f"{_full_path(model, path)}={value}"


def _full_path(model: str, path: str) -> str:
    """``training.lr`` for ``lr``, as search spaces name it; a path that is wrong stays for the error message."""
    if "." in path:
        return path
    homes = [section for section in SECTIONS if has_setting(find_model(model), f"{section}.{path}")]
    return f"{homes[0]}.{path}" if homes else path


def _hash(dataset: Dataset, feature: str) -> str:
    if feature not in dataset.feature_names:
        known = ", ".join(dataset.feature_names) or "none"
        raise InputError(f"data set '{dataset.name}' has no features '{feature}'; there are: {known}")
    return sha256_of(_folder(dataset) / "features" / f"{feature}.safetensors")


def _folder(dataset: Dataset) -> Path:
    if dataset.path is None:
        raise InputError("a comparison needs a data set folder, its runs are processes of their own; save it first")
    return dataset.path
