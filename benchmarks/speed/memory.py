"""Peak memory of one training epoch at the shape of Amazon Electronics, by the train verb in a fresh process.

    python benchmarks memory

The verb opens the data set folder, finds the item neighbours (nothing is cached before), trains one epoch with frozen
768-d features, validates and tests.
"""

import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import typer
from harness.measure import report, results_folder, say
from harness.shapes import FEATURE, SHAPES, make_dataset


def main(
    shape: Annotated[str, typer.Option(help="Shape of drawn pairs.")] = "electronics",
    settings: Annotated[list[str] | None, typer.Option("--set", help="key=value for the train verb.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of pairs and features.")] = 0,
    scratch: Annotated[Path | None, typer.Option(help="Where the data set is written meanwhile.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A tiny shape; nothing is stored.")] = False,
    results: Annotated[Path | None, typer.Option(help="Folder for the result.")] = None,
) -> None:
    """Print one JSON object and store it as memory.json."""
    shape = "quick" if quick else shape
    options = ["--features", FEATURE, "--set", "train_features=false", "--set", "epochs=1"]
    options += [part for setting in settings or [] for part in ("--set", setting)]
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        # in a process of its own: what this one holds when it starts the verb would be counted
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            pool.submit(write_dataset, Path(folder) / "data", shape, seed).result()
        say("data set written, training")
        trained, peak = train(Path(folder), options)
    pairs = SHAPES[shape]
    content: dict[str, Any] = {
        "ratio": None,
        "limit_ratio": None,
        "peak_memory_gb": peak,
        "epoch_seconds": trained["seconds"],
        "options": " ".join(options),
        "shape": {"users": pairs.users, "items": pairs.items, "pairs": pairs.pairs, "width": pairs.width},
        "seed": seed,
    }
    report("memory", content, results_folder(quick, results))


def train(folder: Path, options: list[str]) -> tuple[dict[str, Any], float]:
    """Run the verb, and return its result and its peak memory in GB."""
    command = [sys.executable, "-m", "alignrec_geo.cli.app", "train", f"{folder}/data", "--out", f"{folder}/run"]
    env = {**os.environ, "ALIGNREC_CACHE": f"{folder}/cache"}
    process = subprocess.Popen([*command, *options, "--json"], stdout=subprocess.PIPE, text=True, env=env)
    assert process.stdout is not None
    with process.stdout as stream:
        printed = stream.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"exit code {process.returncode}: {' '.join(command)}")
    return json.loads(printed), usage.ru_maxrss * 1024 / 1e9


def write_dataset(folder: Path, shape: str, seed: int) -> None:
    """Draw the data set and store it."""
    make_dataset(SHAPES[shape], seed=seed).save(folder)


if __name__ == "__main__":
    typer.run(main)
