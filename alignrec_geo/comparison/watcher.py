"""Who is told how a comparison goes."""

from collections.abc import Sequence

from alignrec_geo.comparison.run import Run


class Watcher:
    """Watches a comparison: a live table, a logger. Subclass and override what is of interest."""

    def started(self, run: Run) -> None:
        """A run of this process was begun or continued."""

    def ended(self, run: Run) -> None:
        """A run of this process finished or failed."""

    def died(self, run: Run) -> None:
        """The process of a run ended without a word; the run is begun again, once."""

    def chose(self, model: str) -> None:
        """The trials of a model are over."""

    def looked(self, running: Sequence[Run]) -> None:
        """Called several times a second with the runs of this process."""
