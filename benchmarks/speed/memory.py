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
from harness.program import run_program
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


VERB = """
import sys
from pathlib import Path
from alignrec_geo.cli.app import main
from alignrec_geo.machine import peak_memory_mb

_, peak, *sys.argv = sys.argv
try:
    main()
finally:
    Path(peak).write_text(str(peak_memory_mb()))
"""
"""A verb that writes down its own peak memory: ``ru_maxrss`` of a child counts what its parent held at the start."""


def train(folder: Path, options: list[str]) -> tuple[dict[str, Any], float]:
    """Run the verb, and return its result and its peak memory in GB."""
    peak = folder / "peak.txt"
    verb = ["alignrec-geo", "train", f"{folder}/data", "--out", f"{folder}/run", *options, "--json"]
    env = {**os.environ, "ALIGNREC_CACHE": f"{folder}/cache"}
    done = subprocess.run([sys.executable, "-c", VERB, str(peak), *verb], stdout=subprocess.PIPE, text=True, env=env)
    if done.returncode != 0:
        raise SystemExit(f"exit code {done.returncode}: {' '.join(verb)}")
    return json.loads(done.stdout), float(peak.read_text()) / 1e3


def write_dataset(folder: Path, shape: str, seed: int) -> None:
    """Draw the data set and store it."""
    make_dataset(SHAPES[shape], seed=seed).save(folder)


if __name__ == "__main__":
    run_program(main)
