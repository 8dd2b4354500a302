"""The trials of one model, one after another: each is chosen from the results of those before it."""

from alignrec_geo.comparison.choice import Choice
from alignrec_geo.comparison.layout import Layout
from alignrec_geo.comparison.plan import Plan
from alignrec_geo.comparison.run import Run, error_of, is_over, trial_run, validated
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

    def next_run(self) -> Run | None:
        """Enter what has ended and return the run that is due; ``None`` when the choice is made."""
        former: list[Tried] = []
        for number in range(self.plan.trials):
            settings = self.log.settings(number)
            if settings is None:
                settings = suggest(self.space, former, self.model)
                if settings is None:
                    break
                self.log.begin(settings)
            run = trial_run(self.plan, self.layout, self.model, number, settings)
            if not is_over(run.folder):
                return run
            former.append(Tried(settings, self._value(run)))
            self.log.end(number, former[-1])
        self._choose(former)
        return None

    def _value(self, run: Run) -> float | None:
        if error_of(run.folder) is not None:
            return None
        return validated(run.folder, run.config.training.metric)

    def _choose(self, tried: list[Tried]) -> None:
        """Store the best trial; of equal ones the first, and the defaults if all failed."""
        best = max(range(len(tried)), key=lambda number: -1.0 if (value := tried[number].value) is None else value)
        exhausted = len(tried) if len(tried) < self.plan.trials else None
        choice = Choice(best, tried[best].settings, exhausted)
        write_json(self.layout.chosen(self.model), {"trials": self.plan.trials, **choice._asdict()})
