"""Memory and time that ``alignrec-geo plan`` predicts, against what training takes here.

    python benchmarks plan

Per model and size the train verb runs one epoch in a fresh process (its peak memory counts), and a second process times
steps of the same shape. Every pair is a training pair: validation is timed elsewhere (``ranking``). Rates are measured
once, before. Time is processor time on one thread, which other programs on the machine do not change much.
"""

import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import torch
import typer
from harness.measure import report, results_folder, say
from harness.program import run_program
from harness.shapes import FEATURE, make_dataset, power_law
from harness.workers import BENCHMARKS
from speed.memory import train

from alignrec_geo.dataset import Dataset
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.kernels.allocator import keep_freed_memory
from alignrec_geo.models.registry import find_model
from alignrec_geo.planning import Plan, Problem, Rates, calibrate, device_rates, plan
from alignrec_geo.planning.problem import MODELS
from alignrec_geo.training.config import TrainingConfig
from alignrec_geo.training.optimizer import make_optimizer
from alignrec_geo.training.sampling import TripletSampler
from alignrec_geo.training.step import EagerStep

WIDTH = 64
SIZES = {"bpr": (200_000, 500_000, 1_200_000), "lightgcn": (200_000, 500_000, 1_200_000)}
SIZES["alignrec"] = (100_000, 200_000, 400_000)
"""Other sizes than those that the constants of the memory were found with."""
STEPS = 5


def main(
    models: Annotated[str, typer.Option(help="Models, comma-separated.")] = ",".join(SIZES),
    seed: Annotated[int, typer.Option(help="Seed of the pairs.")] = 0,
    scratch: Annotated[Path | None, typer.Option(help="Where data sets are written meanwhile.")] = None,
    hold: Annotated[Path | None, typer.Option(hidden=True, help="Time steps on this data set.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Tiny graphs; nothing is stored.")] = False,
    results: Annotated[Path | None, typer.Option(help="Folder for the result.")] = None,
) -> None:
    """Print one JSON object and store it as plan.json."""
    if hold is not None:
        print(json.dumps({"seconds": step_seconds(hold, models)}))
        return
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        rates = pool.submit(rates_of_one_thread, quick).result()
    say(f"{rates}")
    rows = []
    for model in models.split(","):
        for edges in (3_000,) if quick else SIZES[model]:
            with tempfile.TemporaryDirectory(dir=scratch) as folder:
                # in a process of its own, as above: what this one holds when it starts another would be counted
                with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                    pool.submit(write_dataset, Path(folder) / "data", edges, seed).result()
                planned = plan(problem(model, edges), rates)
                rows.append(measured(planned, Path(folder)))
            say(f"  {rows[-1]}")
    content = {
        "ratio": max(max(row["memory"]["ratio"], 1 / row["memory"]["ratio"]) for row in rows),
        "limit_ratio": None,
        "step_ratio": max(max(row["step"]["ratio"], 1 / row["step"]["ratio"]) for row in rows),
        "rates": rates.as_json(),
        "rows": rows,
        "seed": seed,
    }
    report("plan", content, results_folder(quick, results))


def rates_of_one_thread(quick: bool) -> Rates:
    """The rates of this machine, from little if it must be quick."""
    torch.set_num_threads(1)
    if quick:
        calibrate.USERS, calibrate.ITEMS, calibrate.EDGES, calibrate.NUMBERS = 4_000, 2_000, 20_000, 1 << 20
    return device_rates("here")


def problem(model: str, edges: int) -> Problem:
    """The sizes that are trained, with batches of a tenth of the pairs (AlignRec's loss grows with their square)."""
    assert model in MODELS
    shape = power_law(edges, WIDTH)
    return Problem(
        users=shape.users,
        items=shape.items,
        edges=edges,
        model=model,
        width=WIDTH if model == "alignrec" else 0,
        train_features=False,
        batch=min(edges // 10, 8_192) if model == "alignrec" else edges // 10,
    )


def measured(planned: Plan, folder: Path) -> dict[str, Any]:
    """One row: predicted and measured."""
    p = planned.problem
    _, peak = train(folder, options(p))
    command = [sys.executable, str(BENCHMARKS), "plan", "--hold", str(folder / "data"), "--models", p.model]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    seconds = json.loads(done.stdout.splitlines()[-1])["seconds"]
    return {
        "model": p.model,
        "edges": p.edges,
        "users": p.users,
        "items": p.items,
        "batch": p.batch,
        "memory": compared(planned.device_bytes / 1e9, peak),
        "step": compared(planned.step_seconds, seconds),
    }


def compared(predicted: float, measured: float) -> dict[str, float]:
    """Both numbers and their ratio."""
    return {"predicted": round(predicted, 4), "measured": round(measured, 4), "ratio": round(predicted / measured, 3)}


def options(p: Problem) -> list[str]:
    """What the train verb is given."""
    frozen = ["--features", FEATURE, "--set", "train_features=false"] if p.width else ["--features", "none"]
    return ["--model", p.model, *frozen, "--set", "epochs=1", "--set", f"batch_size={p.batch}"]


def step_seconds(folder: Path, model: str) -> float:
    """Processor time of a training step, the median of a few."""
    torch.set_num_threads(1)
    keep_freed_memory()
    data = Dataset.open(folder)
    p = problem(model, len(data.interactions))
    chosen = ([FEATURE], {"train_features": False}) if p.width else ([], None)
    made = find_model(model).from_dataset(data, *chosen)
    optimizer = make_optimizer(made, TrainingConfig())
    assert optimizer is not None
    step = EagerStep(made, optimizer)
    batches = TripletSampler(data.interactions, p.batch).epoch(torch.Generator().manual_seed(0))
    step.start(0)
    taken = []
    for _, batch in zip(range(STEPS), batches, strict=False):
        started = time.process_time()
        step.run(batch)
        taken.append(time.process_time() - started)
    return median(taken[2:])


def write_dataset(folder: Path, edges: int, seed: int) -> None:
    """Draw the data set, without what is not trained on, and store it."""
    made = make_dataset(power_law(edges, WIDTH), seed=seed)
    replace(made, interactions=made.interactions.of(Split.TRAIN)).save(folder)


if __name__ == "__main__":
    run_program(main)
