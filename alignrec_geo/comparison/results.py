"""What came out of a comparison so far, read from its folder alone: ``results.json`` and ``per_user.parquet``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from alignrec_geo.comparison.choice import Choice, choice_of
from alignrec_geo.comparison.layout import Layout
from alignrec_geo.comparison.plan import Plan
from alignrec_geo.comparison.row_name import parse_row
from alignrec_geo.comparison.run import epochs_done, error_of, is_over, outcome
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.evaluation.metrics import TESTED
from alignrec_geo.evaluation.significance import paired_comparison
from alignrec_geo.machine import machine
from alignrec_geo.models import find_model
from alignrec_geo.parquet import read_parquet
from alignrec_geo.records import read_epochs
from alignrec_geo.training.run_config import RunConfig
from alignrec_geo.training.run_files import CONFIG, METRICS_FILE, PER_USER

SCHEMA = 1
CURVE = 100
"""Points of a stored curve."""
TRIAL_FIELDS = ("validation", "best_epoch", "epochs", "seconds")
RUN_FIELDS = (
    "metrics",
    "validation",
    "groups",
    "best_epoch",
    "epochs",
    "seconds",
    "seconds_per_epoch",
    "seconds_to_best",
    "peak_memory_mb",
    "parameters",
    "gpu",
)


def collect(plan: Plan, layout: Layout) -> tuple[dict[str, Any], pl.DataFrame]:
    """Read everything that is over.

    Args:
        plan: the plan of the folder.
        layout: the comparison's folder.

    Returns:
        The content of ``results.json``, and one row per model, seed and user with every test metric.
    """
    data = Dataset.open(plan.dataset)
    choices = {model: choice_of(plan, layout, model) for model in plan.models}
    per_user = _per_user(plan, layout, choices)
    models = [_model(plan, layout, model, choice) for model, choice in choices.items()]
    results = {
        "schema": SCHEMA,
        "command": plan.command,
        "dataset": {
            "name": data.name,
            "fingerprint": plan.fingerprint,
            **{name: count for name, count in data.counts().items() if name != "interactions"},
        },
        "protocol": plan.protocol.value,
        "features": list(plan.features),
        "trials": plan.trials,
        "seeds": plan.seeds,
        "reference": plan.reference,
        "machine": {**machine(plan.threads), **_gpus(models)},
        "models": models,
        "significance": _significance(per_user, plan.reference),
    }
    return results, per_user


def failures(results: dict[str, Any]) -> list[str]:
    """One line per final run that failed."""
    return [
        f"{model['name']}, seed {run['seed']}: {run['error']}"
        for model in results["models"]
        for run in model["runs"]
        if run["error"] is not None
    ]


def seed_folders(plan: Plan, layout: Layout, model: str, choice: Choice | None) -> Iterator[tuple[int, Path]]:
    """The folders of a model's final runs by seed; none while its trials go on."""
    if choice is not None:
        yield from ((seed, layout.seed(model, seed, choice.trial)) for seed in range(1, plan.seeds + 1))


def _model(plan: Plan, layout: Layout, name: str, choice: Choice | None) -> dict[str, Any]:
    settings = {} if choice is None else choice.settings
    config = plan.config(name, seed=1, settings=settings).model_dump(mode="json")
    trials = layout.trials(name) if plan.tuned(name) else ()
    seeds = seed_folders(plan, layout, name, choice)
    return {
        "name": name,
        "class": find_model(parse_row(name).model).__name__,
        "features": config["features"],
        "chosen": settings,
        "parameters": config["parameters"],
        "training": config["training"],
        "trials": [_trial(plan, name, number, folder) for number, folder in trials if is_over(folder)],
        "runs": [
            {"seed": seed, **_read(folder, RUN_FIELDS), "curve": _curve(folder, config["training"]["metric"])}
            for seed, folder in seeds
            if is_over(folder)
        ],
    }


def _trial(plan: Plan, model: str, number: int, folder: Path) -> dict[str, Any]:
    config = RunConfig.load(folder / CONFIG, trust=True).model_dump(mode="json")
    settings = {}
    for path in plan.models[model].search_space:
        section, _, key = path.rpartition(".")
        settings[path] = config[section or "parameters"][key]
    return {"number": number, "settings": settings, **_read(folder, TRIAL_FIELDS)}


def _read(folder: Path, fields: tuple[str, ...]) -> dict[str, Any]:
    error = error_of(folder)
    if error is not None:
        return {**dict.fromkeys(fields), "epochs": epochs_done(folder), "error": error}
    left = outcome(folder)
    return {**{field: left[field] for field in fields}, "error": None}


def _gpus(models: list[dict[str, Any]]) -> dict[str, str]:
    """The names of all GPUs that runs were trained on, as a field of the machine."""
    names = dict.fromkeys(run["gpu"] for model in models for run in model["runs"] if run["gpu"] is not None)
    return {"gpu": " and ".join(names)} if names else {}


def _curve(folder: Path, metric: str) -> list[list[float]]:
    """The validation of a run by epochs trained, at :data:`CURVE` points at most."""
    points = [
        [record["epoch"] + 1, round(record["validation"][metric], 5)]
        for record in read_epochs(folder / METRICS_FILE)
        if metric in (record.get("validation") or {})
    ]
    step = max(1, -(-len(points) // CURVE))
    return [*points[:-1:step], *points[-1:]]


def _per_user(plan: Plan, layout: Layout, choices: dict[str, Choice | None]) -> pl.DataFrame:
    frames = [
        _tested_users(folder / PER_USER).select(
            pl.lit(model).alias("model"), pl.lit(seed, dtype=pl.Int64).alias("seed"), pl.all()
        )
        for model, choice in choices.items()
        for seed, folder in seed_folders(plan, layout, model, choice)
        if is_over(folder) and error_of(folder) is None
    ]
    empty = pl.DataFrame(schema={"model": pl.String, "seed": pl.Int64, "user": pl.String})
    return pl.concat(frames, how="diagonal_relaxed") if frames else empty


def _tested_users(path: Path) -> pl.DataFrame:
    """``per_user.parquet`` of a run: a user and numbers."""
    frame = read_parquet(path)
    columns = {"user": pl.String, **{name: pl.Float64 for name in frame.columns if name != "user"}}
    lacking = [name for name in ("user", *TESTED) if name not in frame.columns]
    wrong = [name for name, kind in frame.schema.items() if kind not in (columns[name], pl.Float32)]
    if lacking or wrong or frame.null_count().sum_horizontal().sum():
        what = f"has no column '{lacking[0]}'" if lacking else f"column '{wrong[0]}'" if wrong else "has empty fields"
        raise InputError(f"{path}: not the metrics of users: {what}")
    return frame


def _significance(per_user: pl.DataFrame, reference: str) -> list[dict[str, Any]]:
    if reference not in per_user["model"]:
        return []
    return [row for metric in TESTED for row in paired_comparison(per_user, reference, metric)]
