"""Is a model better on one split of a data set, or on the data set? The same comparison on several drawn splits.

    for n in 1 2 3; do
      alignrec-geo data split data/tiktok --rule random --seed $n --out data/tiktok-$n
      alignrec-geo compare data/tiktok-$n --models alignrec,alignrec-plus --seeds 1 --out runs/tiktok-$n
    done
    python benchmarks splits tiktok-splits runs/tiktok-1 runs/tiktok-2 runs/tiktok-3

writes ``benchmarks/results/tiktok-splits.json``: the means of every split, and the reference paired with every other
model user by user, a user's value being the mean over splits and seeds. Test pairs of one split are training pairs of
another, so the splits are not independent of each other: the test asks about the users, not about other splits.
"""

import json
from pathlib import Path
from statistics import fmean
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
SIZES = ("users", "items")


def main(
    name: Annotated[str, typer.Argument(help="Name of the result: benchmarks/results/NAME.json.")],
    folders: Annotated[list[Path], typer.Argument(help="Folders of finished comparisons, one per split.")],
) -> None:
    """Print the table, and store it."""
    result = {"name": name, **over_splits(folders)}
    write_json(RESULTS / f"{name}.json", result)
    print(json.dumps({key: result[key] for key in ("splits", "models", "paired")}, indent=1))


def over_splits(folders: list[Path]) -> dict[str, Any]:
    """Every model's means by split and over all, and the reference paired with each of the others.

    Raises:
        InputError: the folders differ in models, settings, protocol or numbers of users and items, two have the same
            split, or one lacks a finished run of a model.
    """
    results = [read_json(folder / "results.json") for folder in folders]
    shared = [asked(found) for found in results]
    must_agree(folders, shared)
    splits = [found["dataset"]["fingerprint"] for found in results]
    if len(set(splits)) < len(splits):
        raise InputError("two of the folders are comparisons on the same split")
    users = pl.concat(
        pl.read_parquet(folder / "per_user.parquet").select(
            "model", "user", *METRICS, pl.format("{} {}", pl.lit(number), "seed").alias("seed")
        )
        for number, folder in enumerate(folders)
    )
    reference = results[0]["reference"]
    return {
        "command": [found["command"] for found in results],
        "splits": [found["dataset"] for found in results],
        **shared[0],
        "models": [line(model["name"], folders, results) for model in results[0]["models"]],
        "paired": [test for metric in METRICS for test in paired_comparison(users, reference, metric)],
        "machine": results[-1]["machine"],
    }


def asked(found: dict[str, Any]) -> dict[str, Any]:
    """What has to be equal on all splits."""
    settings = {model["name"]: {"parameters": model["parameters"], **model["training"]} for model in found["models"]}
    sizes = {key: found["dataset"][key] for key in SIZES}
    return {"protocol": found["protocol"], "reference": found["reference"], "sizes": sizes, "settings": settings}


def line(name: str, folders: list[Path], results: list[dict[str, Any]]) -> dict[str, Any]:
    """One model: its means over the seeds of each split, and their mean."""
    by_split: dict[str, list[float]] = {metric: [] for metric in METRICS}
    for folder, found in zip(folders, results, strict=True):
        (model,) = [model for model in found["models"] if model["name"] == name]
        runs = finished_runs(folder, model)
        for metric in METRICS:
            by_split[metric].append(fmean(run["metrics"][metric] for run in runs))
    return {
        "name": name,
        **{metric: fmean(values) for metric, values in by_split.items()},
        **{f"{metric} by split": values for metric, values in by_split.items()},
    }


if __name__ == "__main__":
    run_program(main)
