"""Training steps on an AMD processor as MKL comes, and with the kernels that it keeps for Intel's.

    python benchmarks/mkl_on_amd.py run

torch's CPU builds multiply matrices with Intel's MKL, which takes its AVX-512 kernels on Intel processors only. A
library loaded before it, which answers its question for the maker with yes, makes it take them on AMD's as well. Every
contestant is a process of its own; they take turns. Needs a C compiler.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from contestants import Setting, first_batches, step, trained
from measure import Measured, Rates, Timing, interleave, report, results_folder, say
from shapes import FEATURE, SHAPES, make_dataset
from workers import Worker, serve

from alignrec_geo.dataset import Dataset
from alignrec_geo.graph import to_hetero
from alignrec_geo.kernels.allocator import keep_freed_memory
from alignrec_geo.models import find_model
from alignrec_geo.randomness import child_generator

SOURCE = "int mkl_serv_intel_cpu_true(void) { return 1; }\n"
MODELS = "bpr,lightgcn,vbpr,alignrec,bm3,freedom,mgcn,dualgnn,lattice,slmrec,grcn,mmgcn"
STEPS = 3
"""Training steps per round."""

app = typer.Typer(add_completion=False)


@app.command()
def run(
    dataset: Annotated[Path | None, typer.Option(help="Data set folder whose pairs are used; else drawn ones.")] = None,
    models: Annotated[str, typer.Option(help="Comma-separated.")] = MODELS,
    rounds: Annotated[int, typer.Option(help="Timed rounds.")] = 7,
    quick: Annotated[bool, typer.Option("--quick", help="A tiny shape, two rounds; nothing is stored.")] = False,
    results: Annotated[Path | None, typer.Option(help="Folder for the result.")] = None,
) -> None:
    """Print one JSON object with a row per model, and store it as mkl-on-amd.json."""
    shape, rounds = ("quick", 2) if quick else ("baby", rounds)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        as_it_comes = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
        environments = {"mkl": as_it_comes, "wide": {**as_it_comes, "LD_PRELOAD": str(compiled(Path(folder)))}}
        for name in models.split(","):
            rows.append({"model": name, **compare([*worker(name, shape), *given(dataset)], environments, rounds)})
            say(f"{name}: {rows[-1]['ratio']:.2f}x")
    content = {"ratio": None, "limit_ratio": None, "rows": rows, "shape": shape, "threads": torch.get_num_threads()}
    report("mkl-on-amd", content, results_folder(quick, results))


@app.command()
def contestant(name: str, shape: str, dataset: Annotated[Path | None, typer.Option()] = None) -> None:
    """Serve the training steps of one model."""
    torch.manual_seed(0)
    rate = Rates().gemm(4096, 256, 256) / 1e9
    serve(lambda: steps(name, make_dataset(SHAPES[shape], dataset)), {"gemm_gflops": round(rate, 1)})


def compiled(folder: Path) -> Path:
    """The library that is loaded first."""
    source, library = folder / "wide.c", folder / "wide.so"
    source.write_text(SOURCE, encoding="utf-8")
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-o", library, source], check=True)
    return library


def worker(name: str, shape: str) -> list[str]:
    """The command of a contestant."""
    return [sys.executable, __file__, "contestant", name, shape]


def given(dataset: Path | None) -> list[str]:
    """The option that passes the data set on."""
    return [] if dataset is None else ["--dataset", str(dataset)]


def compare(command: list[str], environments: dict[str, dict[str, str]], rounds: int) -> dict[str, Any]:
    """Medians of both in turns, their ratio, and the rate of a product in each."""
    workers = {name: Worker(command, env=env) for name, env in environments.items()}
    try:
        calls = {name: lambda one=one: Measured(one.run()) for name, one in workers.items()}
        times: dict[str, Timing] = interleave(calls, rounds)
        rates = {name: one.about["gemm_gflops"] for name, one in workers.items()}
    finally:
        for one in workers.values():
            one.close()
    medians = {name: timing.median / STEPS for name, timing in times.items()}
    return {"seconds_per_step": medians, "ratio": medians["mkl"] / medians["wide"], "gemm_gflops": rates}


def steps(name: str, dataset: Dataset) -> Callable[[], float]:
    """Training steps of a model with its defaults, as the training loop runs them."""
    keep_freed_memory()
    kind = find_model(name)
    model = kind(to_hetero(dataset), [FEATURE] if kind.uses_features else [])
    optimizer = torch.optim.Adam(trained(model), lr=1e-3, fused=True)
    model.start_epoch(1, child_generator(0, "model"))
    batches = first_batches(Setting(dataset, batch=2048, steps=STEPS))[:STEPS]

    def timed() -> float:
        started = time.perf_counter()
        for batch in batches:
            step(model, optimizer, model.loss(batch))
        return time.perf_counter() - started

    return timed


if __name__ == "__main__":
    app()
