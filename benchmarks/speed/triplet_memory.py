"""Memory that drawing triplets takes per training pair, against what its documentation states.

    python benchmarks triplet_memory

Pairs are drawn uniformly in a process of their own per size; what counts is what the sampler adds to them (Linux only:
the peak is set back before it is made).
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from harness.measure import report, results_folder
from harness.program import run_program
from harness.workers import BENCHMARKS

from alignrec_geo.dataset.interactions import Interactions
from alignrec_geo.planning import Problem
from alignrec_geo.planning.memory import parts
from alignrec_geo.training.sampling import TripletSampler

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
BESIDES = 0.9e9
"""What the documentation of the sampler allows beside its bytes per pair."""
PER_PAIR = 24


def main(
    sizes: Annotated[str, typer.Option(help="Training pairs, comma-separated.")] = "3000000,10000000,30000000",
    hold: Annotated[int, typer.Option(hidden=True, help="Measure this many pairs.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="Few pairs; nothing is stored.")] = False,
    results: Annotated[Path | None, typer.Option(help="Folder for the result.")] = None,
) -> None:
    """Print one JSON object and store it as triplet-memory.json."""
    if hold:
        print(json.dumps(measured(hold)))
        return
    rows: list[dict[str, Any]] = []
    for size in ["20000"] if quick else sizes.split(","):
        command = [sys.executable, str(BENCHMARKS), "triplet_memory", "--hold", size]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
    content = {
        "ratio": None,
        "limit_ratio": max(row["peak_bytes"] / row["stated_bytes"] for row in rows),
        "rows": rows,
    }
    report("triplet-memory", content, results_folder(quick, results))


def measured(pairs: int) -> dict[str, Any]:
    """What one epoch's drawing adds, at its end and at its fullest."""
    users, items = max(pairs // 6, 50), max(pairs // 17, 50)
    rng = np.random.default_rng(0)
    key = np.unique(rng.integers(0, users, pairs) * items + rng.integers(0, items, pairs))
    rng.shuffle(key)
    made = Interactions(key // items, key % items, np.zeros(len(key), np.int8), users, items)
    del key
    RESET.write_text("5")
    before = _bytes("VmRSS")
    sampler = TripletSampler(made, 2048)
    batches = sampler.epoch(torch.Generator().manual_seed(0))
    next(batches)
    count = len(made)
    planned = parts(Problem(users, items, count, "bpr"))
    return {
        "pairs": count,
        "held_bytes": _bytes("VmRSS") - before,
        "planned_bytes": round(next(part.bytes for part in planned if part.name == "triplets")),
        "peak_bytes": _bytes("VmHWM") - before,
        "stated_bytes": round(PER_PAIR * count + BESIDES),
    }


def _bytes(name: str) -> int:
    return next(int(line.split()[1]) * 1024 for line in STATUS.read_text().splitlines() if line.startswith(name))


if __name__ == "__main__":
    run_program(main)
