"""Bars that show how far a verb is, for those that encode content and those that write results for many."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from alignrec_geo.cli.output import stderr

if TYPE_CHECKING:
    from alignrec_geo.content.progress import Progress as Report


@contextmanager
def progress_bars() -> Iterator[Any]:
    """Yield ``report(label)``, which makes a progress callback with a bar of its own."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr, transient=True) as bar:

        def report(label: str) -> "Report":
            task = bar.add_task(label, total=None)
            return lambda done, total: bar.update(task, completed=done, total=total)

        yield report
