"""The trials of one model: each is chosen from the results of those that have ended."""

from collections.abc import Container
from pathlib import Path
from typing import Any

from alignrec_geo.comparison.choice import Choice
from alignrec_geo.comparison.layout import Layout
from alignrec_geo.comparison.plan import Plan
from alignrec_geo.comparison.run import Run, error_of, is_over, pruned, trial_run, validated
from alignrec_geo.comparison.search import Space, Tried, suggest
from alignrec_geo.comparison.study import TrialLog
from alignrec_geo.files import write_json


class Tuning:
    """The trials of a model, as seen by the process that owns them.

    Everything that decides what comes next is read from the folder, so another process can go on at any point.

    Args:
        plan: the plan.
        layout: the comparison's folder.
        model: the model's name.
    """

    def __init__(self, plan: Plan, layout: Layout, model: str) -> None:
        self.plan, self.layout, self.model = plan, layout, model
        self.space: Space = plan.models[model].search_space
        self.log = TrialLog(layout, model, self.space)

    def next_run(self, training: Container[Path] = ()) -> Run | None:
        """Enter what has ended and return the run that is due; ``None`` when the choice is made, or has to wait.

        Args:
            training: folders of the model's trials that are being trained.
        """
        former: list[Tried] = []
        running: list[dict[str, Any]] = []
        for number in range(self.plan.trials):
            settings = self.log.settings(number)
            if settings is None:
                settings = suggest(self.space, former, self.model, running)
                if settings is None:
                    break
                self.log.begin(settings)
            run = trial_run(self.plan, self.layout, self.model, number, settings)
            if is_over(run.folder):
                former.append(tried_of(run, settings))
                self.log.end(number, former[-1])
            elif run.folder in training:
                running.append(settings)
            else:
                return run
        if not running:
            self._choose(former)
        return None

    def _choose(self, tried: list[Tried]) -> None:
        """Store the best trial; of equal ones the first, and the defaults if all failed."""

        def value(number: int) -> float:
            trial = tried[number]
            return -1.0 if trial.value is None or trial.pruned_at is not None else trial.value

        best = max(range(len(tried)), key=value)
        exhausted = len(tried) if len(tried) < self.plan.trials else None
        choice = Choice(best, tried[best].settings, exhausted)
        write_json(self.layout.chosen(self.model), {"trials": self.plan.trials, **choice._asdict()})


def tried_of(run: Run, settings: dict[str, Any]) -> Tried:
    """What came out of a trial that is over."""
    stopped = pruned(run.folder)
    if stopped is not None:
        return Tried(settings, stopped[1], stopped[0])
    failed = error_of(run.folder) is not None
    return Tried(settings, None if failed else validated(run.folder, run.config.training.metric))
