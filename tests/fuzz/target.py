"""What a target of the fuzzing is: seeds, and the function of the program that reads them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from alignrec_geo.errors import InputError
from tests.fuzz.inputs import Input


class Wrong(AssertionError):
    """The program gave a wrong result in silence."""


def _as_it_is(files: Input) -> Input:
    return files


@dataclass(frozen=True)
class Target:
    """One format and its reader.

    Args:
        name: of the target.
        count: executions of a full run.
        seeds: makes valid inputs in an empty folder and returns them; called once.
        read: reads the input in the first folder, may write into the second, and draws options; returns normally, or
            raises ``InputError``. Anything else is a fault.
        repair: makes hashes right again after a change, so that what they protect is reached.
        noise: what a library that cannot be silenced may print; a regular expression, one line.
        quick: part of the slice that runs with the other tests.
    """

    name: str
    count: int
    seeds: Callable[[Path], list[Input]]
    read: Callable[[Path, Path, Random], Any]
    repair: Callable[[Input], Input] = _as_it_is
    noise: str = "(?!)"
    quick: bool = True


def each(*calls: Callable[[], Any]) -> None:
    """Make all calls, also after one that is refused; then raise the first refusal."""
    refused = []
    for call in calls:
        try:
            call()
        except InputError as error:
            refused.append(error)
    if refused:
        raise refused[0]


def only(folder: Path) -> Path:
    """The only file of a folder (what the user names on the command line); a missing one if there is none."""
    files: Sequence[Path] = sorted(folder.iterdir())
    return files[0] if files else folder / "missing.csv"
