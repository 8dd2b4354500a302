"""What there is to know of every setting of a class: its default, its line of documentation, and what is allowed."""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from enum import Enum
from functools import cache
from itertools import pairwise
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel

BOUNDS = {"ge": "at least {}", "gt": "more than {}", "le": "at most {}", "lt": "less than {}"}


class SettingLine(NamedTuple):
    """One setting."""

    name: str
    """Its name."""
    default: Any
    """Its default, as JSON and YAML hold it."""
    doc: str
    """Its documentation, on one line; empty where there is none."""
    allowed: str
    """What its values may be, in words; empty where ``doc`` alone says it."""


def setting_lines(kind: type[BaseModel]) -> list[SettingLine]:
    """Return the settings of a class in the order in which it has them.

    Args:
        kind: the class; a setting's documentation is the text below it in the source.

    Example:
        >>> from alignrec_geo.dataset.filters import FilterConfig
        >>> next(line for line in setting_lines(FilterConfig) if line.name == "k_core").allowed
        'at least 1'
    """
    docs = {name: doc for part in reversed(kind.__mro__) for name, doc in _documented(part)}
    defaults = kind.model_construct().model_dump(mode="json")
    return [
        SettingLine(name, defaults.get(name), docs.get(name, ""), _allowed(field.annotation, field.metadata))
        for name, field in kind.model_fields.items()
    ]


@cache
def _documented(kind: type) -> tuple[tuple[str, str], ...]:
    """The names of a class with the text below each of them."""
    return tuple(_read(kind))


def _read(kind: type) -> Iterator[tuple[str, str]]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    except (OSError, TypeError, SyntaxError):  # made at run time, or in C
        return
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    for setting, below in pairwise(body):
        named = isinstance(setting, ast.AnnAssign) and isinstance(setting.target, ast.Name)
        if named and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            yield setting.target.id, " ".join(str(below.value.value).split())  # type: ignore[attr-defined]


def _allowed(annotation: Any, metadata: list[Any]) -> str:
    bounds = [
        text.format(f"{bound:,}" if isinstance(bound, int) else f"{bound:g}")
        for constraint in metadata
        for name, text in BOUNDS.items()
        if (bound := getattr(constraint, name, None)) is not None
    ]
    choices = ", ".join(str(value) for value in _choices(annotation))
    return ", ".join([*bounds, *([f"one of {choices}"] if choices else [])])


def _choices(annotation: Any) -> Iterator[Any]:
    """The values of the literals and enumerations that an annotation is made of."""
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    elif isinstance(annotation, type) and issubclass(annotation, Enum):
        yield from (member.value for member in annotation)
    elif get_origin(annotation) is not list:
        for part in get_args(annotation):
            yield from _choices(part)
