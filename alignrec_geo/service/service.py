"""What every route needs: the run that is served, where work is done, and what counts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from alignrec_geo.errors import InputError
from alignrec_geo.service.current import Current
from alignrec_geo.service.jobs import Jobs
from alignrec_geo.service.measures import Measures
from alignrec_geo.service.opened import OpenRun
from alignrec_geo.service.problems import LOG
from alignrec_geo.service.settings import ServiceSettings

SEARCHED = 1 << 20
"""What a search through an index costs: about a millisecond."""


@dataclass(frozen=True)
class Service:
    """The parts of one worker.

    Args:
        settings: limits.
        current: the run.
        jobs: where work is done.
        measures: what counts.
        others: tells the other workers to reload; ``None`` where there are none.
        settled: called after a change to another run.
    """

    settings: ServiceSettings
    current: Current
    jobs: Jobs
    measures: Measures
    others: Callable[[], None] | None = None
    settled: Callable[[], None] | None = None

    @property
    def run(self) -> OpenRun:
        """The run that a request is answered from; read it once."""
        return self.current.run

    def most(self, k: int) -> int:
        """Return ``k`` if it may be asked for.

        Raises:
            InputError: it is larger than the limit.
        """
        return self.within(k, self.settings.max_k, "k", "max_k")

    def within(self, count: int, most: int, what: str, name: str) -> int:
        """Return a number if it is within a limit.

        Raises:
            InputError: it is larger.
        """
        if count > most:
            shown = count if count < 1 << 64 else "a number of more than 64 bits"
            raise InputError(f"{what} must be at most {most} (got {shown}); {name} is the limit of this service")
        return count

    def cost(self, run: OpenRun, users: int, **rules: Any) -> float:
        """Multiplications that ranking takes; what rules take beside it is not known beforehand."""
        if any(rule is not None for rule in rules.values()):
            return float("inf")
        return users * (SEARCHED if run.top.indexes is not None else run.candidates.vectors.numel())

    def reload(self) -> bool:
        """Serve what is at the run's path now.

        Raises:
            InputError: it cannot be opened; the run in use stays.
        """
        try:
            changed = self.current.reload()
        except InputError as error:
            self.measures.reloads.labels("failed").inc()
            LOG.warning("not reloaded: %s", error)
            raise
        self.measures.reloads.labels("changed" if changed else "same").inc()
        self.measures.opened.set(self.run.opened)
        if changed and self.settled is not None:
            self.settled()
        if changed:
            LOG.warning("serving %s as of now (%s)", self.run.run, self.run.identity)
        return changed

    def reload_all(self) -> bool:
        """The same, and let the other workers do it too.

        Raises:
            InputError: it cannot be opened; the runs in use stay.
        """
        changed = self.reload()
        if self.others is not None:
            self.others()
        return changed
