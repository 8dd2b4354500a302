"""What a person sees while a comparison runs: a live table, or plain lines where there is no terminal."""

import time
from collections.abc import Sequence

from rich.console import Console
from rich.live import Live
from rich.table import Table

from alignrec_geo.comparison.layout import Layout
from alignrec_geo.comparison.observer import ComparisonObserver
from alignrec_geo.comparison.plan import Plan
from alignrec_geo.comparison.run import Run, error_of, outcome, pruned, validated
from alignrec_geo.comparison.status import ModelStatus, StatusReader, seconds_left

PAUSE = 1.0
"""Seconds between looks at the folder."""


class LiveTable(ComparisonObserver):
    """Shows every model's trials, final runs, best validation and time left.

    Args:
        console: where; a terminal gets a table that is redrawn, anything else one line per run.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        self._looked = float("-inf")

    def comparison_started(self, plan: Plan, layout: Layout, jobs: int) -> None:
        """Show the table."""
        self._reader, self._jobs = StatusReader(plan, layout), jobs
        if self._live is not None:
            self._live.start()

    def comparison_ended(self) -> None:
        """Take the table away."""
        if self._live is not None:
            self._live.stop()

    def run_started(self, run: Run) -> None:
        """Say that a run was begun, where there is no table."""
        if self._live is None:
            self._say(f"{run.model}, {run.label}: training")

    def run_ended(self, run: Run) -> None:
        """Say how a run ended: failures always, the others where there is no table."""
        error, stopped = error_of(run.folder), pruned(run.folder)
        if stopped is not None:
            if self._live is None:
                self._say(f"{run.model}, {run.label}: pruned after {stopped[0]} epochs, at {stopped[1]:.4f}")
        elif error is not None:
            self._say(f"{run.model}, {run.label}: failed: {error}")
        elif self._live is None:
            metric, seconds = run.config.training.metric, outcome(run.folder)["seconds"]
            what = f"validation {metric} {validated(run.folder, metric):.4f}, {seconds:.0f} s"
            self._say(f"{run.model}, {run.label}: {what}{self._time_left()}")

    def run_died(self, run: Run) -> None:
        """Say that a run is begun again."""
        self._say(f"{run.model}, {run.label}: the process exited without a result; it is started once more")

    def trials_ended(self, model: str) -> None:
        """Say so if a search space was smaller than the number of trials."""
        (status,) = [status for status in self._reader.read() if status.model == model]
        if status.trials_planned < self._reader.plan.trials:
            self._say(f"{model}: its search space was exhausted after {status.trials_planned} trials")

    def polled(self, running: Sequence[Run]) -> None:
        """Redraw the table, once a second."""
        if self._live is not None and time.monotonic() - self._looked > PAUSE:
            self._looked = time.monotonic()
            self._live.update(status_table(self._reader.read(), self._jobs), refresh=True)

    def _say(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)

    def _time_left(self) -> str:
        left = seconds_left(self._reader.read(), self._jobs)
        return f"; about {_duration(left)} left" if left is not None else ""


def status_table(statuses: list[ModelStatus], jobs: int) -> Table:
    """The table of a moment."""
    left = seconds_left(statuses, jobs)
    table = Table(caption="time left: " + ("unknown until a run has finished" if left is None else _duration(left)))
    table.add_column("model")
    pruning = any(status.pruned for status in statuses)
    for name in ("trials", "seeds", "failed", *(["pruned"] if pruning else []), "best validation"):
        table.add_column(name, justify="right")
    table.add_column("under way")
    for status in statuses:
        table.add_row(
            status.model,
            f"{status.trials}/{status.trials_planned}" if status.trials_planned else "–",
            f"{status.seeds}/{status.seeds_planned}" if status.seeds_planned else "–",
            str(status.failed or ""),
            *([str(status.pruned or "")] if pruning else []),
            "" if status.best is None else f"{status.best:.4f}",
            "; ".join(status.under_way),
        )
    return table


def _duration(seconds: float) -> str:
    """``2 h 05 min``, ``3 min 20 s``, ``12 s``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
