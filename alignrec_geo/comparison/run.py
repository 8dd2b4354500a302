"""A run of a comparison: a run folder, what is to be trained in it, and how far that is."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, FiniteFloat

from alignrec_geo.comparison.layout import Layout
from alignrec_geo.comparison.plan import Plan
from alignrec_geo.errors import InputError
from alignrec_geo.files import write_json
from alignrec_geo.records import Record, RunResult, read_record
from alignrec_geo.serving.folding_store import FOLDING
from alignrec_geo.serving.store import DATASET, EMBEDDINGS
from alignrec_geo.staging import remove_folder
from alignrec_geo.training.run_config import RunConfig
from alignrec_geo.training.run_files import CONFIG, METRICS_FILE, RESULT

COST = "cost.json"
"""The last file a run writes: a run that has it is finished."""
GROUPS = "groups.json"
ERROR = "error.json"
"""What a failed run leaves."""
PRUNED = "pruned.json"
"""What a trial leaves that was stopped because it was behind."""
LOG = "worker.log"
"""What the run's process said."""
TRIAL_SEED = 0
"""Seed of every trial; the final runs have the seeds 1, 2, …, so that none of them repeats the trial that won."""


class Failure(Record):
    """``error.json``."""

    error: str


class Pruned(Record):
    """``pruned.json``."""

    epochs: int = Field(ge=1)
    value: FiniteFloat


class Cost(Record):
    """``cost.json``."""

    seconds: FiniteFloat
    peak_memory_mb: FiniteFloat | None
    seconds_per_epoch: FiniteFloat | None
    seconds_to_best: FiniteFloat | None
    parameters: int | None


class Groups(Record):
    """``groups.json``: counts and metrics by group of users and of items."""

    users: dict[str, dict[str, FiniteFloat | None]]
    items: dict[str, dict[str, FiniteFloat | None]]


@dataclass(frozen=True)
class Run:
    """One model with one configuration and one seed.

    Args:
        model: its name.
        label: what people read: ``trial 3`` or ``seed 1``.
        folder: the run folder.
        config: what is trained.
        test: whether the chosen epoch is tested; trials never are.
    """

    model: str
    label: str
    folder: Path
    config: RunConfig
    test: bool

    def prepare(self) -> None:
        """Make the folder with its ``config.yaml``, which tells the worker what to do.

        Raises:
            InputError: there is one with other settings than those that were asked for.
        """
        path = self.folder / CONFIG
        if path.exists():
            stored = RunConfig.load(path, trust=True)  # to be compared; what differs is not run
            before, now = stored.model_dump(mode="json"), self.config.model_dump(mode="json")
            changed = [key for key in now if key != "dataset" and now[key] != before[key]]
            if changed:
                raise InputError(f"{path}: {changed[0]} is not what the comparison asks for; delete the run's folder")
            if before == now:
                return
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config.save(path)

    def fail(self, message: str) -> None:
        """Mark the run as failed."""
        write_json(self.folder / ERROR, {"error": message})


def trial_run(plan: Plan, layout: Layout, model: str, number: int, settings: Mapping[str, Any]) -> Run:
    """A trial of a model."""
    config = plan.config(model, TRIAL_SEED, settings)
    return Run(model, f"trial {number}", layout.trial(model, number), config, test=False)


def seed_run(plan: Plan, layout: Layout, model: str, seed: int, trial: int, settings: Mapping[str, Any]) -> Run:
    """A final run of a model, with the settings of the trial that won."""
    config = plan.config(model, seed, settings)
    return Run(model, f"seed {seed}", layout.seed(model, seed, trial), config, test=True)


def is_over(folder: Path) -> bool:
    """Whether a run finished, failed, or was pruned."""
    return any((folder / name).exists() for name in (COST, ERROR, PRUNED))


def error_of(folder: Path) -> str | None:
    """Why a run failed; ``None`` if it did not."""
    return str(read_record(folder / ERROR, Failure)["error"]) if (folder / ERROR).exists() else None


def pruned(folder: Path) -> tuple[int, float] | None:
    """The epochs after which a trial was pruned and its best validation until then; ``None`` if it was not."""
    if (folder / COST).exists() or not (folder / PRUNED).exists():
        return None
    stored = read_record(folder / PRUNED, Pruned)
    return int(stored["epochs"]), float(stored["value"])


def outcome(folder: Path) -> dict[str, Any]:
    """What a finished run left: its result, its cost, the GPU it was trained on and, for final runs, its groups."""
    result, cost = read_record(folder / RESULT, RunResult), read_record(folder / COST, Cost)
    groups = read_record(folder / GROUPS, Groups) if (folder / GROUPS).exists() else None
    gpu = (result.get("machine") or {}).get("gpu")
    return {**result, **cost, "groups": groups, "gpu": gpu if isinstance(gpu, str) else None}


def validated(folder: Path, metric: str) -> float:
    """The validation of a finished run.

    Raises:
        InputError: its result is damaged, or has no such metric.
    """
    found = outcome(folder)["validation"]
    if metric not in found:
        raise InputError(f"{folder / RESULT}: has no validation {metric}")
    return float(found[metric])


def epochs_done(folder: Path) -> int:
    """Epochs that a run in progress has trained."""
    path = folder / METRICS_FILE
    return path.read_bytes().count(b"\n") if path.exists() else 0


def forget_failed(plan: Plan, layout: Layout) -> None:
    """Delete the folders of failed runs, so that they are trained from the start.

    A model that loses trials loses its choice too: it is made anew when they are over. The trials keep their settings,
    and in ``study.sqlite`` the mark that they once failed.

    Args:
        plan: the plan; what other models left in the folder stays.
        layout: the comparison's folder.
    """
    for model in plan.models:
        for _, folder in layout.trials(model):
            if error_of(folder) is not None:
                layout.chosen(model).unlink(missing_ok=True)  # first: without it the trials are looked at again
                remove_folder(folder)
        for folder in sorted(layout.model(model).glob("seed-*")):
            if error_of(folder) is not None:
                remove_folder(folder)


def drop_served(folder: Path) -> None:
    """Delete what serving would need of a run: tables, the rule for new users, the copy of the data set."""
    for name in (EMBEDDINGS, FOLDING):
        (folder / name).unlink(missing_ok=True)
    if (folder / DATASET).is_dir():
        remove_folder(folder / DATASET)
