"""Settings from ``key=value`` pairs and YAML files; unknown keys are errors that suggest what was meant."""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from alignrec_geo.errors import InputError
from alignrec_geo.limits import limit, over_limit
from alignrec_geo.reading import check_plain_file, reading
from alignrec_geo.yaml_text import parse_yaml

Sections = Mapping[str, type[BaseModel]]
"""Configuration classes by the name of their section."""


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file of settings.

    Raises:
        InputError: the file is missing, or is not a YAML mapping.
    """
    size = check_plain_file(path, "YAML file").stat().st_size
    if size > limit("yaml_bytes"):
        raise over_limit(path, f"has {size:,} bytes", "yaml_bytes")
    with reading(path, "YAML file"):
        text = path.read_text(encoding="utf-8")
    content = parse_yaml(text, path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: settings must be key: value pairs (got {type(content).__name__})")
    return content


def parse_setting(setting: str, sections: Sections) -> tuple[str, str, Any]:
    """Section, name and value of ``SECTION.NAME=value`` or ``NAME=value``; the value is YAML.

    Raises:
        InputError: not of this form, or no such setting.
    """
    path, equals, text = setting.partition("=")
    if not equals or not path:
        raise InputError(f"--set takes key=value (got '{setting:.80}')")
    value = parse_yaml(text, f"--set {path}")
    home = home_of(path, sections)
    if home is None:
        raise _unknown_key(path, [f"{name}.{key}" for name, kind in sections.items() for key in kind.model_fields])
    return *home, value


def home_of(path: str, sections: Sections) -> tuple[str, str] | None:
    """The section and the name of the setting ``SECTION.NAME`` or ``NAME``; ``None`` if there is no such."""
    section, dot, key = path.rpartition(".")
    homes = [name for name, kind in sections.items() if key in kind.model_fields and (not dot or name == section)]
    return (homes[0], key) if homes else None


def check_keys(section: str, values: Mapping[str, Any], kind: type[BaseModel]) -> None:
    """Refuse keys that a section does not have.

    Raises:
        InputError: names the key and what was probably meant.
    """
    for key in values:
        if key not in kind.model_fields:
            raise _unknown_key(f"{section}.{key}", [f"{section}.{name}" for name in kind.model_fields])


def _unknown_key(key: str, known: list[str]) -> InputError:
    plain = {setting.rpartition(".")[2]: setting for setting in known}
    name = key.rpartition(".")[2]
    close = get_close_matches(name, plain, n=1) or [known for known in plain if name in known]
    hint = f" (did you mean '{plain[close[0]]}'?)" if close else ""
    return InputError(f"unknown setting '{key}'{hint}; there are: {', '.join(known)}")
