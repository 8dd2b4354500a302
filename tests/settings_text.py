"""Every setting with its default, its limits and what a search tries, one a line, as in `tests/golden/settings/`.

A default is a promise: runs, papers and stored results go by it. After a change that was meant,
``python -m tests.settings_text`` writes the files anew.
"""

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from alignrec_geo.dataset.filters import FilterConfig
from alignrec_geo.dataset.splits import SplitConfig
from alignrec_geo.kernels.config import KernelConfig
from alignrec_geo.models import MODELS
from alignrec_geo.training.config import TrainingConfig
from alignrec_geo.training.run_config import RunConfig

FOLDER = Path(__file__).parent / "golden" / "settings"

LIMITS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
    "enum": "one of",
    "const": "only",
}
"""How a limit is said."""

PARTS: dict[str, dict[str, type[BaseModel]]] = {
    "models": {name: model.config_class for name, model in MODELS.items()},
    "training": {"training": TrainingConfig, "kernels": KernelConfig, "run": RunConfig},
    "kernels": {"kernels": KernelConfig},
    "dataset": {"split": SplitConfig, "filter": FilterConfig},
}
"""Settings by package and by what they are of."""


def describe(owner: str, config: type[BaseModel]) -> list[str]:
    """The lines of one kind of settings.

    Example:
        >>> describe("split", SplitConfig)[1]
        'split.seed = 0, at least 0'
    """
    schema = config.model_json_schema()
    lines = []
    for name, field in schema["properties"].items():
        kinds: list[dict[str, Any]] = [field, *field.get("anyOf", [])]
        limits = [f"{LIMITS[key]} {kind[key]}" for kind in kinds for key in LIMITS if key in kind]
        default = field.get("default")
        value = "those above" if default and isinstance(default, dict) else repr(default)
        lines.append(", ".join([f"{owner}.{name} = {value}", *limits]))
    extra = "refuses other names" if schema.get("additionalProperties") is False else "takes other names"
    frozen = "cannot be changed" if config.model_config.get("frozen") else "can be changed"
    lines.append(f"{owner}: {extra}, {frozen}")
    for name, tried in getattr(config, "search_space", {}).items():
        lines.append(f"{owner}: a search tries {name} = {', '.join(map(str, tried))}")
    for name, value in getattr(config, "training_defaults", {}).items():
        lines.append(f"{owner}: is trained with {name} = {value!r}")
    return lines


def text_of(part: str) -> str:
    """The text of a package's settings."""
    return "".join(f"{line}\n" for owner, config in PARTS[part].items() for line in describe(owner, config))


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for part in PARTS:
        (FOLDER / f"{part}.txt").write_text(text_of(part), encoding="utf-8")
