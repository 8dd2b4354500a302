"""Callbacks of a comparison."""

from collections.abc import Sequence

from alignrec_geo.comparison.layout import Layout
from alignrec_geo.comparison.plan import Plan
from alignrec_geo.comparison.run import Run


class ComparisonObserver:
    """Watches a comparison: a live table, a logger. Subclass and override what is of interest."""

    def comparison_started(self, plan: Plan, layout: Layout, jobs: int) -> None:
        """The folder and its plan are there; up to ``jobs`` runs are trained at a time."""

    def run_started(self, run: Run) -> None:
        """A run of this process was begun or continued."""

    def run_ended(self, run: Run) -> None:
        """A run of this process finished or failed."""

    def run_died(self, run: Run) -> None:
        """The process of a run exited without a result; the run is begun again, once."""

    def trials_ended(self, model: str) -> None:
        """The trials of a model are over."""

    def polled(self, running: Sequence[Run]) -> None:
        """Called several times a second with the runs of this process."""

    def comparison_ended(self) -> None:
        """Every run is over, or the comparison was interrupted."""
