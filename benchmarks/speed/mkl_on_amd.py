"""Training steps on an AMD processor as MKL comes, with the kernels that it keeps for Intel's, and with oneDNN.

    python benchmarks mkl_on_amd

torch's CPU builds multiply matrices with Intel's MKL, which takes its AVX-512 kernels on Intel processors only. A
library loaded before it, which answers its question for the maker with yes, makes it take them on AMD's as well.
oneDNN, the backend ``onednn`` of ``matmul``, asks nobody for the maker. Every contestant is a process of its own; they
take turns. Needs a C compiler.
"""

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from harness.contestants import LEARNED, start, take_turns
from harness.measure import report, results_folder, say
from harness.program import run_program
from harness.training_contestants import PRODUCT
from speed.epoch import graph_cache

from alignrec_geo.kernels.backends import VARIABLE

SOURCE = "int mkl_serv_intel_cpu_true(void) { return 1; }\n"


def main(
    dataset: Annotated[Path | None, typer.Option(help="Data set folder whose pairs are used; else drawn ones.")] = None,
    models: Annotated[str, typer.Option(help="Comma-separated.")] = ",".join(LEARNED),
    rounds: Annotated[int, typer.Option(help="Timed rounds.")] = 7,
    quick: Annotated[bool, typer.Option("--quick", help="A tiny shape, two rounds; nothing is stored.")] = False,
    results: Annotated[Path | None, typer.Option(help="Folder for the result.")] = None,
) -> None:
    """Print one JSON object with a row for a matrix product and per model, and store it as mkl-on-amd.json."""
    shape = "baby"
    if quick:
        shape, rounds, dataset = "quick", 2, None
    options = ["--shape", shape, "--steps", "3"]
    options += ["--dataset", str(dataset)] if dataset is not None else []
    rows = []
    with tempfile.TemporaryDirectory() as folder, graph_cache() as env:
        as_it_comes = {name: value for name, value in env.items() if name != "LD_PRELOAD"} | {VARIABLE: "matmul=torch"}
        sides = {
            "mkl": as_it_comes,
            "wide": {**as_it_comes, "LD_PRELOAD": str(compiled(Path(folder)))},
            "onednn": {**as_it_comes, VARIABLE: "matmul=onednn"},
        }
        for name in ("gemm", *(f"step-{model}" for model in models.split(","))):
            rows.append(compare(name, options, sides, rounds))
            say(f"{name}: {rows[-1]['ratio']:.2f}x, oneDNN {rows[-1]['onednn_ratio']:.2f}x")
    content = {"ratio": None, "limit_ratio": None, "rows": rows, "shape": shape, "product": PRODUCT}
    report("mkl-on-amd", {**content, "threads": torch.get_num_threads()}, results_folder(quick, results))


def compiled(folder: Path) -> Path:
    """The library that is loaded first."""
    source, library = folder / "wide.c", folder / "wide.so"
    source.write_text(SOURCE, encoding="utf-8")
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-o", library, source], check=True)
    return library


def compare(name: str, options: list[str], sides: Mapping[str, Mapping[str, str]], rounds: int) -> dict[str, Any]:
    """One contestant in all environments, in turns: its medians, and how many times faster the others are than MKL."""
    workers = {side: start([name], options, env)[name] for side, env in sides.items()}
    medians = {side: timing.median for side, timing in take_turns(workers, rounds).items()}
    ratios = {"ratio": medians["mkl"] / medians["wide"], "onednn_ratio": medians["mkl"] / medians["onednn"]}
    return {"what": name, **ratios, "seconds": medians}


if __name__ == "__main__":
    run_program(main)
