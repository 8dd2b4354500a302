"""How far a comparison is, and how long it will take."""

from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

from alignrec_geo.comparison.choice import choice_of
from alignrec_geo.comparison.layout import Layout
from alignrec_geo.comparison.plan import Plan
from alignrec_geo.comparison.results import seed_folders
from alignrec_geo.comparison.run import epochs_done, error_of, is_over, outcome, pruned, validated


@dataclass
class ModelStatus:
    """How far one model is.

    Args:
        model: its name.
        trials_planned: trials it gets, as many as its search space allows.
        seeds_planned: final runs it gets.
        trials: trials that are over.
        seeds: final runs that are over.
        failed: runs that failed.
        pruned: trials that were stopped because they were behind.
        best: the best validation so far.
        durations: seconds of every finished run.
        under_way: ``trial 3, epoch 12`` for every run in progress, whoever trains it.
    """

    model: str
    trials_planned: int
    seeds_planned: int
    trials: int = 0
    seeds: int = 0
    failed: int = 0
    pruned: int = 0
    best: float | None = None
    durations: list[float] = field(default_factory=list)
    under_way: list[str] = field(default_factory=list)

    @property
    def remaining(self) -> int:
        """Runs that are not over."""
        return self.trials_planned - self.trials + self.seeds_planned - self.seeds


class StatusReader:
    """Reads the state of all runs from the folder; what is over is read once.

    Args:
        plan: the plan.
        layout: the comparison's folder.
    """

    def __init__(self, plan: Plan, layout: Layout) -> None:
        self.plan, self.layout = plan, layout
        self._over: dict[Path, dict[str, Any] | None] = {}

    def read(self) -> list[ModelStatus]:
        """The status of every model."""
        return [self._model(name) for name in self.plan.models]

    def _model(self, name: str) -> ModelStatus:
        plan, choice = self.plan, choice_of(self.plan, self.layout, name)
        tuned = plan.tuned(name)
        planned = (choice.exhausted if choice else None) or plan.trials if tuned else 0
        status = ModelStatus(name, planned, plan.seeds)
        trials = list(self.layout.trials(name)) if tuned else []
        seeds = list(seed_folders(plan, self.layout, name, choice))
        status.trials = sum(self._add(status, f"trial {number}", folder) for number, folder in trials)
        status.seeds = sum(self._add(status, f"seed {seed}", folder) for seed, folder in seeds)
        return status

    def _add(self, status: ModelStatus, label: str, folder: Path) -> bool:
        """Add one run to the status and say whether it is over."""
        if folder not in self._over and is_over(folder):
            stopped = pruned(folder) is not None
            self._over[folder] = {} if stopped else outcome(folder) if error_of(folder) is None else None
        if folder not in self._over:
            if folder.exists():
                status.under_way.append(f"{label}, epoch {epochs_done(folder)}")
            return False
        left = self._over[folder]
        if left is None:
            status.failed += 1
        elif not left:
            status.pruned += 1
        else:
            metric = self.plan.models[status.model].training["metric"]
            status.best = max(validated(folder, metric), -1.0 if status.best is None else status.best)
            status.durations.append(left["seconds"])
        return True


def seconds_left(statuses: list[ModelStatus], jobs: int) -> float | None:
    """Estimate what is left from the mean time of each model's finished runs; of all models' for one without any.

    Args:
        statuses: all models.
        jobs: processes at a time.

    Returns:
        Seconds, ``None`` before any run has finished.

    Example:
        >>> seconds_left([ModelStatus("a", 2, 2, trials=1, durations=[10.0]), ModelStatus("b", 0, 1)], jobs=2)
        20.0
    """
    known = [seconds for status in statuses for seconds in status.durations]
    if not known:
        return None
    left = sum(status.remaining * mean(status.durations or known) for status in statuses)
    return left / jobs
