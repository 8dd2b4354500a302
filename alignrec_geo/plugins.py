"""What this package knows by name, and what installed packages add to it through an entry point."""

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import TypeVar

from alignrec_geo.errors import InputError

Known = TypeVar("Known")


def find_by_name(
    name: str, known: Mapping[str, Known], group: str, noun: str, problem: Callable[[object], str | None]
) -> Known:
    """Return what is called ``name``.

    Args:
        name: what was asked for.
        known: what this package holds.
        group: the group of entry points that others join by.
        noun: what it is called in messages.
        problem: what keeps an object that another package offers from being one, as ``is not a …``; ``None`` if
            nothing does.

    Raises:
        InputError: nothing has that name, or what a package offers under it does not fit.

    Example:
        >>> find_by_name("one", {"one": 1}, "nobody.joins", "number", lambda offered: None)
        1
    """
    if name in known:
        return known[name]
    offered = {entry.name: entry for entry in entry_points(group=group)}
    if name not in offered:
        raise InputError(f"unknown {noun} (got {name!r:.80}); there are: {', '.join([*known, *sorted(offered)])}")
    found: Known = offered[name].load()
    wrong = problem(found)
    if wrong is not None:
        raise InputError(f"{noun} '{name}' of {offered[name].value} {wrong} (got {found!r:.80})")
    return found
