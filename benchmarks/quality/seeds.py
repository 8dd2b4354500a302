"""Train a model over several seeds and store what it reaches.

    python benchmarks seeds data/tiktok --features image,audio --protocol mmrec --name tiktok-alignrec

Every seed is one ``alignrec-geo train`` in a process of its own, so that its peak memory is its own. A seed whose
result is stored already is not trained again (``--fresh`` trains it).
"""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from harness.machine import RESULTS, machine
from harness.measure import command
from harness.program import run_program

from alignrec_geo.files import write_json

KEYS = ("recall@10", "recall@20", "ndcg@10", "ndcg@20")


def main(
    dataset: Annotated[Path, typer.Argument(help="Data set folder.")],
    name: Annotated[str, typer.Option(help="Name of the result: benchmarks/results/NAME.json.")],
    model: str = "alignrec",
    features: str = "none",
    protocol: str = "mmrec",
    seeds: int = 3,
    settings: Annotated[list[str] | None, typer.Option("--set", help="key=value for the train verb.")] = None,
    runs: Annotated[Path, typer.Option(help="Where the run folders go.")] = Path("runs"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Train stored seeds again.")] = False,
) -> None:
    """Train seeds 0, 1, … and print one JSON object: mean, standard deviation and every run."""
    target = RESULTS / f"{name}.json"
    stored = json.loads(target.read_text())["runs"] if target.exists() and not fresh else []
    done = {run["seed"]: run for run in stored}
    options = ["--model", model, "--features", features, "--protocol", protocol]
    options += [part for setting in settings or [] for part in ("--set", setting)]
    for seed in range(seeds):
        if seed not in done:
            done[seed] = train(dataset, runs / f"{name}-{seed}", [*options, "--seed", str(seed)], seed)
        report = summary(name, dataset, options, list(done.values()))
        write_json(target, report)
    print(json.dumps(report))


def train(dataset: Path, out: Path, options: list[str], seed: int) -> dict[str, Any]:
    """Run the verb, and return its result with its peak memory."""
    command = [sys.executable, "-m", "alignrec_geo.cli.app", "train", str(dataset), "--out", str(out), *options]
    process = subprocess.Popen([*command, "--overwrite", "--json"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"seed {seed} failed: {' '.join(command)}")
    result = json.loads(printed)
    return {
        "seed": seed,
        "test": result["metrics"],
        "validation": result["validation"],
        "best_epoch": result["best_epoch"],
        "epochs": result["epochs"],
        "seconds": result["seconds"],
        "peak_memory_gb": round(usage.ru_maxrss / 1e6, 3),
    }


def summary(name: str, dataset: Path, options: list[str], runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean and standard deviation over the seeds."""
    mean = {key: statistics.mean(run["test"][key] for run in runs) for key in KEYS}
    spread = {key: statistics.stdev(run["test"][key] for run in runs) if len(runs) > 1 else 0.0 for key in KEYS}
    return {
        "name": name,
        "command": command(),
        "dataset": dataset.name,
        "options": " ".join(options),
        "mean": mean,
        "standard_deviation": spread,
        "runs": runs,
        "machine": machine(),
    }


if __name__ == "__main__":
    run_program(main)
