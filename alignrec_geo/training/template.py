"""A file of all settings of a model to begin from: what ``train --config`` reads, with a comment above each setting."""

import textwrap
from typing import Any

import yaml

from alignrec_geo.models.registry import find_model
from alignrec_geo.setting_lines import SettingLine, setting_lines
from alignrec_geo.training.run_config import RunConfig, sections_of

WIDTH = 100
TOP = ("model", "features", "protocol", "seed")
"""The settings of a run beside its sections; the others (the data set, what a run begins with) are the command's."""


def model_settings(model: str) -> dict[str, list[tuple[SettingLine, tuple[Any, ...]]]]:
    """Return every setting of a model's runs by section, with the values that a search tries.

    The defaults are those of the model, which for some are others than those of
    :class:`~alignrec_geo.training.TrainingConfig`.

    Args:
        model: name of the model.

    Raises:
        InputError: there is no such model.

    Example:
        >>> settings = model_settings("lightgcn")
        >>> [(line.name, line.default, tried) for line, tried in settings["parameters"]][1]
        ('layers', 2, (1, 2, 3, 4))
    """
    found_model = find_model(model)
    space = found_model.config_class.search_space
    values = RunConfig.resolve({"model": model}).model_dump(mode="json")
    found: dict[str, list[tuple[SettingLine, tuple[Any, ...]]]] = {
        "": [(line._replace(default=values[line.name]), ()) for line in setting_lines(RunConfig) if line.name in TOP]
    }
    for section, kind in sections_of(found_model).items():
        found[section] = [
            (line._replace(default=values[section][line.name]), _tried(space, section, line.name))
            for line in setting_lines(kind)
        ]
    return found


def config_template(model: str) -> str:
    """Return the YAML of all settings of a model at their defaults; ``train --config`` takes it as it is.

    Args:
        model: name of the model.

    Raises:
        InputError: there is no such model.

    Example:
        >>> print(config_template("random").split("parameters:")[1].split("training:")[0].strip())
        # Width d of the tables. (at least 1)
          dim: 64
    """
    lines = [f"# All settings of {model}, at their defaults: alignrec-geo train DATASET --config FILE --out RUN", ""]
    for section, settings in model_settings(model).items():
        if section:
            lines += ["", f"{section}:" if settings else f"{section}: {{}}"]
        indent = "  " if section else ""
        for line, tried in settings:
            lines += [f"{indent}# {text}" for text in textwrap.wrap(_comment(line, tried), WIDTH)]
            lines.append(f"{indent}{line.name}: {_as_yaml(line.default)}")
    return "\n".join(lines) + "\n"


def _comment(line: SettingLine, tried: tuple[Any, ...]) -> str:
    notes = [line.allowed, f"searches try {', '.join(map(_as_yaml, tried))}" if tried else ""]
    said = "; ".join(note for note in notes if note)
    return " ".join([line.doc.replace("``", "`"), *([f"({said})"] if said else [])]).strip()


def _as_yaml(value: Any) -> str:
    """A value on one line."""
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**9)
    return text.removesuffix("\n").removesuffix("\n...")


def _tried(space: Any, section: str, name: str) -> tuple[Any, ...]:
    path = name if section == "parameters" else f"{section}.{name}"
    return tuple(space.get(path, space.get(f"{section}.{name}", ())))
