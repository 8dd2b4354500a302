"""What the verbs that encode content share: where to run, and bars that show how far they are."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from alignrec_geo.cli.output import stderr
from alignrec_geo.errors import InputError

if TYPE_CHECKING:
    import torch

    from alignrec_geo.content.progress import Progress as Report


def chosen_device(name: str) -> "torch.device":
    """The device that ``--device`` means.

    Raises:
        InputError: ``cuda`` was asked for and there is none.
    """
    import torch

    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise InputError("--device cuda was asked for and torch finds no GPU; use auto or cpu")
    return torch.device("cuda" if there and name != "cpu" else "cpu")


@contextmanager
def progress_bars() -> Iterator[Any]:
    """Yield ``report(label)``, which makes a progress callback with a bar of its own."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr, transient=True) as bar:

        def report(label: str) -> "Report":
            task = bar.add_task(label, total=None)
            return lambda done, total: bar.update(task, completed=done, total=total)

        yield report
