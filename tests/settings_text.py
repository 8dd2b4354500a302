"""Every setting with its default, its limits and what a search tries, one a line, as in `tests/golden/settings/`.

A default is a promise: runs, papers and stored results go by it. After a change that was meant,
``python -m tests.settings_text`` writes the files anew.
"""

import inspect
import pkgutil
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from alignrec_geo.dataset.filters import FilterConfig
from alignrec_geo.dataset.readers.table import TableConfig
from alignrec_geo.dataset.recipes import Recipe, RemoteFile
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
    "dataset": {
        "split": SplitConfig,
        "filter": FilterConfig,
        "table": TableConfig,
        "recipe": Recipe,
        "recipe.files": RemoteFile,
    },
}
"""Settings by package and by what they are of."""


ALL = ("dataset", "evaluation", "graph", "kernels", "models", "nn", "serving", "training")


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


def public_calls(part: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The functions, classes and methods of a package's modules that are for everybody, by their names."""
    package = import_module(f"alignrec_geo.{part}")
    for found in sorted(pkgutil.walk_packages(package.__path__, f"{package.__name__}."), key=lambda found: found.name):
        if ".triton" in found.name or "torch_s" in found.name:  # need packages that are not everywhere
            continue
        module = import_module(found.name)
        for name, value in sorted(vars(module).items()):
            if name.startswith("_") or getattr(value, "__module__", None) != found.name or not callable(value):
                continue
            if inspect.isclass(value):
                if not issubclass(value, BaseModel | Exception):
                    yield name, value
                for method, function in sorted(vars(value).items()):
                    inner = getattr(function, "__func__", function)  # of a classmethod
                    if not method.startswith("_") and inspect.isfunction(inner):
                        yield f"{name}.{method}", inner
            else:
                yield name, value


def call_defaults(part: str) -> list[str]:
    """Plain defaults of calls: ``draw(seed=0)``."""
    lines = []
    for name, call in public_calls(part):
        try:
            parameters = inspect.signature(call).parameters.values()
        except (TypeError, ValueError):
            continue
        plain = [p for p in parameters if type(p.default) in (int, float, bool, str, tuple) and p.default != ()]
        if plain:
            lines.append(f"{name}({', '.join(f'{p.name}={p.default!r}' for p in plain)})")
    return lines


def text_of(part: str) -> str:
    """The text of a package's settings and defaults."""
    settings = [line for owner, config in PARTS.get(part, {}).items() for line in describe(owner, config)]
    return "".join(f"{line}\n" for line in [*settings, *call_defaults(part)])


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for part in ALL:
        (FOLDER / f"{part}.txt").write_text(text_of(part), encoding="utf-8")
