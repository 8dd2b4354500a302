"""Names of a package that are imported on first use."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(package: str, home: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` for the ``__init__`` of a package, so that importing it stays cheap.

    Args:
        package: the ``__name__`` of the package.
        home: public name to the module inside the package that holds it; a module inside the package that is itself a
            public name maps to ``""``.

    Example:
        >>> find, names = lazy_names("alignrec_geo.training", {"fit": "loop"})
        >>> find("fit").__name__
        'fit'
    """

    def find(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if not home[name]:
            return import_module(f"{package}.{name}")
        return getattr(import_module(f"{package}.{home[name]}"), name)

    def names() -> list[str]:
        return sorted({*home, *(name for name in vars(sys.modules[package]) if name.startswith("__"))})

    return find, names
