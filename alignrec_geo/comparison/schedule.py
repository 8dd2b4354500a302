"""Which run comes next, and who trains it: trials of one model in a row, everything else side by side."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from alignrec_geo.comparison.choice import choice_of
from alignrec_geo.comparison.layout import Layout
from alignrec_geo.comparison.observer import ComparisonObserver
from alignrec_geo.comparison.plan import Plan
from alignrec_geo.comparison.process import RunProcess
from alignrec_geo.comparison.pruning import MedianRule, mark_pruned
from alignrec_geo.comparison.run import Run, is_over, seed_run
from alignrec_geo.locks import Lock

if TYPE_CHECKING:
    from alignrec_geo.comparison.tuning import Tuning

POLL = 0.1
"""Seconds between looks at the processes."""
WAIT = 1.0
"""Seconds between looks at runs that other processes have."""


class Job(NamedTuple):
    """A run to train and the lock that says it is ours."""

    run: Run
    lock: Lock


class Scheduler:
    """Trains every run of a plan that is not over, with at most ``jobs`` processes at a time.

    Any number of schedulers may work on one folder: whoever has the lock of a run, or of a model's tuning, trains it.

    Args:
        plan: what is to be trained.
        layout: the comparison's folder.
        jobs: processes at a time.
        observer: told about every run.
        after_run: called when a run of ours is over.
        rule: which trials are stopped before they end; ``None`` lets all end.
        deadline: when to stop, by ``time.monotonic()``; what is not over then can be continued.
    """

    def __init__(
        self,
        plan: Plan,
        layout: Layout,
        jobs: int,
        observer: ComparisonObserver,
        after_run: Callable[[], None],
        rule: MedianRule | None = None,
        deadline: float = float("inf"),
    ) -> None:
        self.plan, self.layout, self.jobs = plan, layout, jobs
        self.observer, self.after_run = observer, after_run
        self._rule, self._deadline = rule, deadline
        self._processes: list[RunProcess] = []
        self._died: set[Path] = set()
        self._tunings: dict[str, tuple[Tuning, Lock]] = {}

    def run(self) -> None:
        """Train until every run is over. If this is interrupted, the processes are stopped; all can be continued."""
        try:
            while time.monotonic() < self._deadline:
                self._collect()
                self._prune()
                self._fill()
                self.observer.polled([process.run for process in self._processes])
                if not self._processes and self._all_over():
                    break
                time.sleep(POLL if self._processes else WAIT)
        finally:
            for process in self._processes:
                process.stop()
            for model in list(self._tunings):
                self._disown(model)

    def _collect(self) -> None:
        for process in [process for process in self._processes if process.ended()]:
            self._processes.remove(process)
            if process.run.test:
                process.lock.release()
            if is_over(process.run.folder):
                self.observer.run_ended(process.run)
                self.after_run()
            else:
                self._died.add(process.run.folder)
                self.observer.run_died(process.run)

    def _prune(self) -> None:
        if self._rule is None:
            return
        for process in [process for process in self._processes if not process.run.test]:
            found = self._rule.behind(process.run)
            if found is None:
                continue
            process.stop()
            self._processes.remove(process)
            mark_pruned(process.run.folder, *found)
            self.observer.run_ended(process.run)
            self.after_run()

    def _fill(self) -> None:
        while len(self._processes) < self.jobs and (job := self._next()) is not None:
            self.observer.run_started(job.run)
            again = job.run.folder in self._died
            self._processes.append(RunProcess(job.run, job.lock, self.plan.threads, again))

    def _next(self) -> Job | None:
        return next((job for find, model in self._order() if (job := find(model)) is not None), None)

    def _order(self) -> Iterator[tuple[Callable[[str], Job | None], str]]:
        """Trials first, as a model's trials wait for each other; alone, one model after the other."""
        finders = (self._next_trial, self._next_seed)
        if self.jobs > 1:
            yield from ((find, model) for find in finders for model in self.plan.models)
        else:
            yield from ((find, model) for model in self.plan.models for find in finders)

    def _next_trial(self, model: str) -> Job | None:
        trials = [process.run for process in self._processes if process.run.model == model and not process.run.test]
        if (trials and not self.plan.tuning) or choice_of(self.plan, self.layout, model) is not None:
            return None
        if model not in self._tunings:
            lock = Lock.attempt(self.layout.lock(f"{model}.tuning"))
            if lock is None:
                return None
            from alignrec_geo.comparison.tuning import Tuning  # Optuna is needed for trials only

            self._tunings[model] = Tuning(self.plan, self.layout, model), lock
        tuning, lock = self._tunings[model]
        run = tuning.next_run({trial.folder for trial in trials})
        if run is not None:
            return Job(run, lock)
        if trials:
            return None  # the last ones have to end first
        self._disown(model)
        self.observer.trials_ended(model)
        return None

    def _next_seed(self, model: str) -> Job | None:
        choice = choice_of(self.plan, self.layout, model)
        if choice is None:
            return None
        for seed in range(1, self.plan.seeds + 1):
            folder = self.layout.seed(model, seed, choice.trial)
            lock = None if is_over(folder) else Lock.attempt(self.layout.lock(f"{model}.{folder.name}"))
            if lock is None:
                continue
            if not is_over(folder):  # it may have ended before the lock was ours
                return Job(seed_run(self.plan, self.layout, model, seed, choice.trial, choice.settings), lock)
            lock.release()
        return None

    def _disown(self, model: str) -> None:
        tuning, lock = self._tunings.pop(model)
        tuning.log.close()
        lock.release()

    def _all_over(self) -> bool:
        for model in self.plan.models:
            choice = choice_of(self.plan, self.layout, model)
            if choice is None:
                return False
            seeds = range(1, self.plan.seeds + 1)
            if not all(is_over(self.layout.seed(model, seed, choice.trial)) for seed in seeds):
                return False
        return True
