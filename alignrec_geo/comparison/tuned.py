"""What came out of a search so far, read from its folder alone: ``tuning.json``, ``trials.csv``, ``best.yaml``."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from alignrec_geo.comparison.layout import Layout
from alignrec_geo.comparison.plan import Plan
from alignrec_geo.comparison.pruning import curve
from alignrec_geo.comparison.report import PAUSE
from alignrec_geo.comparison.run import (
    TRIAL_SEED,
    epochs_done,
    error_of,
    is_over,
    outcome,
    pruned,
    trial_run,
    validated,
)
from alignrec_geo.comparison.search import Tried, frozen
from alignrec_geo.comparison.study import TrialLog
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.files import atomic_path, write_json
from alignrec_geo.locks import locked
from alignrec_geo.machine import machine
from alignrec_geo.notebook import html_table
from alignrec_geo.plain import printable
from alignrec_geo.training.run_config import ORIGIN

SCHEMA = 1
TUNING, TRIALS, BEST, REPORT = "tuning.json", "trials.csv", "best.yaml", "report.html"
FINISHED, PRUNED, FAILED, UNFINISHED = "finished", "pruned", "failed", "unfinished"


class TuningResults(dict[str, Any]):
    """The content of ``tuning.json``: a dictionary that a notebook shows as a table of trials."""

    def to_frame(self) -> pl.DataFrame:
        """Return one row per trial: number, state, validation, epochs, seconds, and its settings."""
        rows = [
            {**{name: trial[name] for name in ("trial", "state", "value", "epochs", "seconds")}, **trial["settings"]}
            for trial in self["trials"]
        ]
        return pl.DataFrame(rows, infer_schema_length=None, strict=False)

    def _repr_html_(self) -> str:
        frame = self.to_frame().sort("value", descending=True, nulls_last=True).head(20)
        return html_table(
            frame.rows(), frame.columns, f"{self['model']} on {self['dataset']['name']}, {self['metric']}"
        )


class TuningReporter:
    """Writes what came out, at the end and now and then before it.

    Args:
        layout: the folder of the search.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._last = float("-inf")

    def after_run(self) -> None:
        """Write what is there so far, unless that was done less than a minute ago."""
        if time.monotonic() - self._last > PAUSE:
            self.write()

    def write(self) -> dict[str, Any]:
        """Write everything, and return the content of ``tuning.json``."""
        from alignrec_geo.reporting.tuning_report import write_tuning_report  # loads matplotlib

        layout = self._layout
        with locked(layout.lock("report")):
            plan = Plan.load(layout.plan)
            results = collect(plan, layout)
            write_json(layout.root / TUNING, results)
            with atomic_path(layout.root / TRIALS) as staging:
                TuningResults(results).to_frame().write_csv(staging)
            if results["best"] is not None:
                with atomic_path(layout.root / BEST) as staging:
                    staging.write_text(best_yaml(plan, results), encoding="utf-8")
            write_tuning_report(results, layout.root / REPORT)
        self._last = time.monotonic()
        return results


def collect(plan: Plan, layout: Layout) -> dict[str, Any]:
    """Return the content of ``tuning.json``.

    Args:
        plan: the plan of the folder, of one model.
        layout: the folder of the search.
    """
    ((model, own),) = plan.models.items()
    metric = str(own.training["metric"])
    log = TrialLog(layout, model, own.search_space)
    try:
        known = [settings for number in range(plan.trials) if (settings := log.settings(number)) is not None]
    finally:
        log.close()
    trials = [_trial(plan, layout, model, number, settings, metric) for number, settings in enumerate(known)]
    finished = [trial for trial in trials if trial["state"] == FINISHED]
    best = max(finished, key=lambda trial: trial["value"]) if finished else None  # of equal ones the first
    data = Dataset.open(plan.dataset)
    return {
        "schema": SCHEMA,
        "command": plan.command,
        "dataset": {"name": data.name, "fingerprint": plan.fingerprint, **data.counts()},
        "model": model,
        "features": own.features,
        "protocol": plan.protocol.value,
        "metric": metric,
        "planned": plan.trials,
        "space": own.search_space,
        "best": None if best is None else {name: best[name] for name in ("trial", "value", "settings", "epochs")},
        "default": trials[0]["value"] if trials and trials[0]["state"] == FINISHED else None,
        "importance": importance(own.search_space, finished),
        "trials": trials,
        "machine": machine(plan.threads),
    }


def importance(space: Mapping[str, list[Any]], finished: list[dict[str, Any]]) -> dict[str, float]:
    """The share of each setting in what distinguishes the best trials from the others, the largest first.

    By `PED-ANOVA <https://arxiv.org/abs/2304.10255>`_, from finished trials; empty for fewer than four of them, or if
    all are equal.
    """
    varied = {name: axis for name, axis in space.items() if len({repr(one["settings"][name]) for one in finished}) > 1}
    if len(finished) < 4 or not varied or len({one["value"] for one in finished}) < 2:
        return {}
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize")
    for one in finished:
        settings = {name: one["settings"][name] for name in varied}
        study.add_trial(frozen(varied, Tried(settings, one["value"])))
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {name: float(share) for name, share in found.items()}


def best_yaml(plan: Plan, results: Mapping[str, Any]) -> str:
    """The settings of the best trial as ``train --config`` takes them; the data set is named by the command."""
    best = results["best"]
    config = plan.config(results["model"], TRIAL_SEED, best["settings"]).model_dump(mode="json")
    for name in ("dataset", "refit", *ORIGIN):  # which are the command's
        del config[name]
    del config["training"]["log_to"]  # trials are logged nowhere else
    of = f"trial {best['trial']} of {len(results['trials'])}"
    said = f"{results['metric']} {best['value']:.4f} on validation, {of} of: {printable(results['command'])}"
    return f"# {said}\n" + yaml.safe_dump(config, sort_keys=False)


def _trial(
    plan: Plan, layout: Layout, model: str, number: int, settings: dict[str, Any], metric: str
) -> dict[str, Any]:
    run = trial_run(plan, layout, model, number, settings)
    folder: Path = run.folder
    points = curve(folder, metric)
    found: dict[str, Any] = {
        "trial": number,
        "settings": settings,
        "state": UNFINISHED,
        "value": None,
        "epochs": epochs_done(folder),
        "seconds": None,
        "error": None,
        "curve": [[epochs, best] for epochs, best in points],
    }
    stopped = pruned(folder)
    if stopped is not None:
        until = [
            point for point in found["curve"] if point[0] <= stopped[0]
        ]  # what was trained before it was looked at
        return {**found, "state": PRUNED, "value": stopped[1], "epochs": stopped[0], "curve": until}
    if not is_over(folder):
        return found
    if (error := error_of(folder)) is not None:
        return {**found, "state": FAILED, "error": error}
    left = outcome(folder)
    value = validated(folder, metric)
    return {**found, "state": FINISHED, "value": value, "epochs": left["epochs"], "seconds": left["seconds"]}
