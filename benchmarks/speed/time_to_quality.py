"""Seconds until a run reaches 99 % of its final validation Recall@20, with the faithful and with a faster schedule.

    python benchmarks time_to_quality data/tiktok --features image,audio --protocol mmrec \\
        --fast batch_size=4096 --fast lr=2e-3 --fast eval_every=2 --name time-to-quality-tiktok

Both schedules are trained for every seed by the train verb, one after the other, and read from ``metrics.jsonl``. The
final value of a run is that of the epoch that validation chose. The faster schedule is also timed to 99 % of the
*faithful* schedule's final value, so that a lower final value cannot pass for speed.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Annotated, Any

import typer
from harness.measure import report, results_folder, say
from harness.program import run_program

METRIC = "recall@20"
SHARE = 0.99


def main(
    dataset: Annotated[Path, typer.Argument(help="Data set folder.")],
    name: Annotated[str, typer.Option(help="Name of the result: benchmarks/results/NAME.json.")],
    features: str = "none",
    protocol: str = "mmrec",
    seeds: int = 3,
    settings: Annotated[list[str] | None, typer.Option("--set", help="key=value for both schedules.")] = None,
    fast: Annotated[list[str] | None, typer.Option(help="key=value of the faster schedule.")] = None,
    runs: Annotated[Path, typer.Option(help="Where the run folders go; finished runs there are not repeated.")] = Path(
        "runs"
    ),
    quick: Annotated[bool, typer.Option("--quick", help="Three epochs, one seed; nothing is stored.")] = False,
    results: Annotated[Path | None, typer.Option(help="Folder for the result.")] = None,
) -> None:
    """Print one JSON object and store it as NAME.json."""
    common = [*(settings or []), *(["epochs=3"] if quick else [])]
    schedules = {"faithful": common, **({"faster": [*common, *fast]} if fast else {})}
    rows: list[dict[str, Any]] = []
    for seed in range(1 if quick else seeds):
        for schedule, chosen in schedules.items():
            say(f"seed {seed}, {schedule} schedule")
            folder = runs / f"{name}-{schedule}-{seed}"
            options = ["--features", features, "--protocol", protocol, "--seed", str(seed)]
            train(dataset, folder, [*options, *(part for setting in chosen for part in ("--set", setting))])
            rows.append({"schedule": schedule, "seed": seed, **read(folder)})
    content: dict[str, Any] = {
        **summary(rows),
        "rows": rows,
        "dataset": dataset.name,
        "features": features,
        "protocol": protocol,
        "settings": schedules,
    }
    report(name, content, results_folder(quick, results))


def train(dataset: Path, folder: Path, options: Sequence[str]) -> None:
    """Train by the verb, unless the run is there and finished."""
    if (folder / "result.json").exists():
        return
    command = [sys.executable, "-m", "alignrec_geo.cli.app", "train", str(dataset), "--out", str(folder), *options]
    subprocess.run([*command, "--overwrite", "--json"], check=True, stdout=subprocess.DEVNULL)


def read(folder: Path) -> dict[str, Any]:
    """What a finished run reached, and when."""
    epochs = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    curve = validation_curve(epochs)
    final = max(value for _, value in curve)
    return {
        "final": final,
        "seconds_to_99": seconds_to(curve, SHARE * final),
        "seconds": sum(epoch["seconds"] for epoch in epochs),
        "epochs": len(epochs),
        "test": json.loads((folder / "result.json").read_text())["metrics"].get(METRIC),
        "curve": [[round(seconds, 2), round(value, 5)] for seconds, value in curve],
    }


def validation_curve(epochs: Sequence[Mapping[str, Any]]) -> list[tuple[float, float]]:
    """Seconds of training and validation so far, and the validation metric, at every validated epoch.

    Example:
        >>> validation_curve([{"seconds": 2.0}, {"seconds": 1.0, "validation": {"recall@20": 0.1}}])
        [(3.0, 0.1)]
    """
    spent, curve = 0.0, []
    for epoch in epochs:
        spent += epoch["seconds"]
        if "validation" in epoch:
            curve.append((spent, epoch["validation"][METRIC]))
    return curve


def seconds_to(curve: Sequence[tuple[float, float]], value: float) -> float | None:
    """When the curve first reaches a value; ``None`` if it never does.

    Example:
        >>> seconds_to([(1.0, 0.05), (2.0, 0.1)], 0.09)
        2.0
    """
    return next((seconds for seconds, reached in curve if reached >= value), None)


def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Means over the seeds of each schedule, and how many times sooner the faster one is there."""
    schedules = {row["schedule"]: [r for r in rows if r["schedule"] == row["schedule"]] for row in rows}
    means: dict[str, Any] = {
        schedule: {
            key: mean(row[key] for row in own) for key in ("final", "seconds_to_99", "seconds", "epochs", "test")
        }
        for schedule, own in schedules.items()
    }
    faithful = means["faithful"]
    content: dict[str, Any] = {"ratio": None, "limit_ratio": None, "mean": means}
    if "faster" in means:
        target = SHARE * faithful["final"]
        reached = [seconds_to(row["curve"], target) for row in schedules["faster"]]
        there = [seconds for seconds in reached if seconds is not None]
        means["faster"]["seconds_to_faithful_99"] = mean(there) if len(there) == len(reached) else None
        content["ratio"] = faithful["seconds_to_99"] / means["faster"]["seconds_to_99"]
        content["final_difference"] = means["faster"]["final"] - faithful["final"]
    return content


if __name__ == "__main__":
    run_program(main)
