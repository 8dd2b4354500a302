"""Does stage 2 profit from aligned features? Comparisons with different features, as one table with paired tests.

    alignrec-geo compare data/tiktok --models alignrec,lightgcn --features image,audio --seeds 3 --out runs/plain
    alignrec-geo compare data/tiktok --models alignrec --features aligned-s0 --seeds 3 --out runs/aligned
    python benchmarks stage2 stage2-tiktok runs/aligned runs/plain

writes ``benchmarks/results/stage2-tiktok.json``. The first model of the first folder is compared with all others, user
by user over the seeds. All folders must be of one data set, split and protocol. Rows hold the validation, too:
settings are to be chosen by it.
"""

import json
from pathlib import Path
from statistics import fmean, stdev
from typing import Annotated, Any

import polars as pl
import typer
from harness.agreement import finished_runs, must_agree
from harness.machine import RESULTS
from harness.program import run_program

from alignrec_geo.errors import InputError
from alignrec_geo.evaluation.significance import paired_comparison
from alignrec_geo.files import read_json, write_json

METRICS = ("recall@20", "ndcg@20")
SHARED = ("dataset", "protocol")
"""What has to be equal in all folders."""


def main(
    name: Annotated[str, typer.Argument(help="Name of the result: benchmarks/results/NAME.json.")],
    folders: Annotated[list[Path], typer.Argument(help="Folders of finished comparisons, the reference's first.")],
) -> None:
    """Print the table, and store it."""
    result = {"name": name, **together(folders)}
    write_json(RESULTS / f"{name}.json", result)
    print(json.dumps({key: result[key] for key in ("rows", "paired")}, indent=1))


def together(folders: list[Path]) -> dict[str, Any]:
    """The rows of all folders, and the first one against each of the others.

    Raises:
        InputError: the folders differ in data set or protocol, two rows have the same model, features and settings, or
            one has no finished run.
    """
    results = [read_json(folder / "results.json") for folder in folders]
    must_agree(folders, [{key: found[key] for key in SHARED} for found in results])
    rows = [row(folder, model) for folder, found in zip(folders, results, strict=True) for model in found["models"]]
    labels = name_rows(rows)
    places = [
        (folder, model["name"]) for folder, found in zip(folders, results, strict=True) for model in found["models"]
    ]
    users = [
        pl.read_parquet(folder / "per_user.parquet")
        .filter(pl.col("model") == model)
        .select(pl.lit(label).alias("model"), "seed", "user", METRICS[0])
        for label, (folder, model) in zip(labels, places, strict=True)
    ]
    return {
        "command": [found["command"] for found in results],
        **{key: results[0][key] for key in SHARED},
        "rows": [{"label": label, **entry} for label, entry in zip(labels, rows, strict=True)],
        "paired": paired_comparison(pl.concat(users), labels[0], METRICS[0]),
        "machine": results[0]["machine"],
    }


def name_rows(rows: list[dict[str, Any]]) -> list[str]:
    """Model and features of every row, and what else tells it from another with the same.

    Raises:
        InputError: two rows have the same model, features and settings.
    """
    labels = []
    for entry in rows:
        alike = [other for other in rows if all(other[key] == entry[key] for key in ("model", "features"))]
        parameters = entry["settings"]["parameters"]
        told_by = [
            f"{name}={value}"
            for name, value in parameters.items()
            if any(other["settings"]["parameters"].get(name) != value for other in alike)
        ]
        labels.append(" ".join([entry["model"], entry["features"], *told_by]))
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise InputError(f"two folders hold the same row: {twice[0]}")
    return labels


def row(folder: Path, model: dict[str, Any]) -> dict[str, Any]:
    """One model of one comparison: settings, means and standard deviations over the seeds, and what it cost."""
    runs = finished_runs(folder, model)
    values = {metric: [run["metrics"][metric] for run in runs] for metric in METRICS}
    return {
        "model": model["name"],
        "features": _features(model),
        "settings": {"parameters": model["parameters"], "training": model["training"]},
        "seeds": [run["seed"] for run in runs],
        **{metric: fmean(values[metric]) for metric in METRICS},
        **{f"{metric}_sd": stdev(values[metric]) if len(runs) > 1 else None for metric in METRICS},
        "by_seed": values[METRICS[0]],
        "validation_by_seed": [run["validation"][METRICS[0]] for run in runs],
        "epochs": [run["epochs"] for run in runs],
        "seconds_per_epoch": [run["seconds_per_epoch"] for run in runs],
        "peak_memory_mb": [run["peak_memory_mb"] for run in runs],
    }


def _features(model: dict[str, Any]) -> str:
    return "+".join(model["features"]) or "no features"


if __name__ == "__main__":
    run_program(main)
