"""Bars that show how far a verb is; where nothing can be redrawn, lines that a log file can hold."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from alignrec_geo.cli.output import redraws, stderr

if TYPE_CHECKING:
    from alignrec_geo.content.progress import Progress as Report

TENTHS = 10
MINUTE = 60.0


@contextmanager
def progress_bars() -> Iterator[Any]:
    """Yield ``report(label)``, which makes a progress callback with a bar, or lines, of its own."""
    if not redraws(stderr):
        yield _lines
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=stderr, transient=True) as bar:

        def report(label: str) -> "Report":
            task = bar.add_task(label, total=None)
            return lambda done, total: bar.update(task, completed=done, total=total)

        yield report


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show that something goes on whose length is not known: a spinner with the time, or one line."""
    if not redraws(stderr):
        stderr.print(what, soft_wrap=True)
        yield
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=stderr, transient=True) as bar:
        bar.add_task(what, total=None)
        yield


@contextmanager
def counting(unit: str) -> Iterator[Callable[[str, int], None]]:
    """Yield a callback for work whose end is not known: called with what is done, and how many there are so far."""
    if not redraws(stderr):
        last = ("", 0.0)

        def say(what: str, count: int) -> None:
            nonlocal last
            now = time.monotonic()
            if what != last[0] or now - last[1] >= MINUTE:
                last = what, now
                stderr.print(f"{what}: {count:,} {unit}", soft_wrap=True)

        yield say
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=stderr, transient=True) as bar:
        task = bar.add_task("reading")
        yield lambda what, count: bar.update(task, description=f"{what}: {count:,} {unit}")


def _lines(label: str) -> "Report":
    """A progress callback that prints a line whenever another tenth is done."""
    started, said = time.monotonic(), 0

    def report(done: int, total: int) -> None:
        nonlocal said
        tenths = TENTHS * done // total if total else TENTHS
        if tenths > said:
            said = tenths
            seconds = time.monotonic() - started
            stderr.print(f"{label}: {done:,} of {total:,} ({10 * tenths} %), {seconds:.0f} s", soft_wrap=True)

    return report
