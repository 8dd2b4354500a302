"""Classes and functions by the path a user names: ``mypackage.layers.MyConv``."""

import os
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from torch import nn

from alignrec_geo.errors import InputError
from alignrec_geo.reading import typed_line

HARMLESS = ("alignrec_geo.nn", "torch.nn", "torch_geometric.nn")
"""Packages whose modules (classes of ``torch.nn.Module``) a file may name: they are installed here, and making one does
no more than make it."""


def load_named(path: str, setting: str) -> Any:
    """Import what a dotted path names.

    Only for names that the user wrote, or whose file the user trusts (:func:`refuse_code`). A module that is not
    installed is looked for in the current folder, as ``python -m`` does.

    Args:
        path: ``package.module.NAME``; a colon in place of the last dot is fine.
        setting: the setting it was given for, for messages.

    Raises:
        InputError: there is no such module or name, or the import fails.

    Example:
        >>> load_named("torch.nn.Linear", "user_item_conv").__name__
        'Linear'
    """
    module_name, _, name = path.replace(":", ".").rpartition(".")
    try:
        with _current_folder():
            module = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module_name}.".startswith(f"{error.name}."):
            raise InputError(f"{setting}: there is no module '{error.name}' (got '{path}')") from None
        raise InputError(f"{setting}: importing '{module_name}' failed: {error} (got '{path}')") from error
    except Exception as error:
        raise InputError(f"{setting}: importing '{module_name}' failed: {typed_line(error)} (got '{path}')") from error
    if not hasattr(module, name):
        raise InputError(f"{setting}: module '{module_name}' has no '{name}' (got '{path}')")
    return getattr(module, name)


def is_path(text: str) -> bool:
    """Whether a text can be the path of something: at least two names with dots, or a colon, between.

    Example:
        >>> is_path("mypackage.layers.MyConv"), is_path("mypackage:MyConv"), is_path("sage"), is_path("<object of a.B>")
        (True, True, False, False)
    """
    names = text.replace(":", ".").split(".")
    return len(names) > 1 and all(name.isidentifier() for name in names)


def path_of(kind: Any, setting: str) -> str:
    """The path of a class, by which :func:`load_named` finds it again.

    Raises:
        InputError: the class stands inside a function, where no path leads.
    """
    if "<locals>" in kind.__qualname__ or "." in kind.__qualname__:
        raise InputError(
            f"{setting}: class '{kind.__qualname__}' has no path of its own, so a run could not be repeated; "
            "define it at the top of a module, or give an instance to the model's constructor"
        )
    return f"{kind.__module__}.{kind.__qualname__}"


def refuse_code(settings: Mapping[str, Any], where: object, trusted: Collection[str] = ()) -> None:
    """Refuse class paths that only a file names: a file that comes from somebody else must not choose what is run.

    Args:
        settings: the settings of a model, by name.
        where: the file they came from.
        trusted: class paths that the user wrote as well, which may stay.

    Raises:
        InputError: names the setting, the path, and what to do where the file is to be trusted.

    Example:
        >>> refuse_code({"user_item_conv": "torch_geometric.nn.SAGEConv"}, "config.yaml")
        >>> refuse_code({"user_item_conv": "mypkg.MyConv"}, "config.yaml", trusted=["mypkg.MyConv"])
        >>> refuse_code({"user_item_conv": "mypkg.MyConv"}, "config.yaml")
        Traceback (most recent call last):
        alignrec_geo.errors.InputError: config.yaml: user_item_conv names code that is not part of this program \
(got 'mypkg.MyConv'); if you trust the file pass trust=True
    """
    for name, value in settings.items():
        for path in named_paths(value):
            if path not in trusted and not _harmless(path):
                raise InputError(
                    f"{where}: {name} names code that is not part of this program (got '{path}'); if you trust the "
                    "file pass trust=True"
                )


def named_paths(value: Any) -> Iterator[str]:
    """Every text in a setting that can be a class path, also in lists and mappings."""
    if isinstance(value, str):
        if is_path(value):
            yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from named_paths(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from named_paths(part)


def _harmless(path: str) -> bool:
    if not path.replace(":", ".").startswith(tuple(f"{package}." for package in HARMLESS)):
        return False
    kind = load_named(path, "a layer")
    within = isinstance(kind, type) and f"{kind.__module__}.".startswith(tuple(f"{name}." for name in HARMLESS))
    return within and issubclass(kind, nn.Module)


@contextmanager
def _current_folder() -> Iterator[None]:
    here = os.getcwd()
    added = here not in sys.path and "" not in sys.path
    if added:
        sys.path.append(here)
    try:
        yield
    finally:
        if added:
            sys.path.remove(here)
