"""Real runs of comparisons without a process each, which would spend most of its time on imports."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from alignrec_geo.comparison import schedule, worker
from alignrec_geo.comparison.run import Run
from alignrec_geo.locks import Lock


class InThisProcess:
    """Stands in for ``RunProcess``: the run is trained when it is started."""

    def __init__(self, run: Run, lock: Lock, threads: int, again: bool = False) -> None:
        run.prepare()
        self.run, self.lock = run, lock
        worker.train_or_say_why(run.folder, run.test, trust=True)

    def ended(self) -> bool:
        return True

    def stop(self) -> None:
        """There is no process."""


@contextmanager
def runs_in_this_process() -> Iterator[None]:
    """Train the runs of comparisons in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schedule, "RunProcess", InThisProcess)
        yield
