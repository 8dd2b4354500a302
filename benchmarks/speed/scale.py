"""Time of a training step and memory of training as the graph grows, on drawn power-law graphs.

    python benchmarks scale

Every size is a process of its own. Users and items grow with the edges (Baby's ratios). Content is 64-d and its
neighbours are drawn: the exact ones of 600,000 items would take hours, and a step costs the same (``knn.py`` measures
the search). The cost is fitted as ``seconds = a · edges^b``.
"""

import math
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from harness.contestant import step
from harness.measure import Measured, interleave, report, results_folder, say
from harness.program import run_program
from harness.shapes import graph_with_drawn_neighbours, make_interactions, power_law
from harness.workers import BENCHMARKS, Worker, serve

from alignrec_geo.kernels.allocator import keep_freed_memory
from alignrec_geo.models import AlignRec, AlignRecConfig
from alignrec_geo.randomness import child_generator
from alignrec_geo.training.sampling import TripletSampler

SIZES = "100000,300000,1000000,3000000,10000000"


def main(
    sizes: Annotated[str, typer.Option(help="Training edges, comma-separated.")] = SIZES,
    rounds: Annotated[int, typer.Option(help="Timed rounds of 3 steps each.")] = 3,
    batch: Annotated[int, typer.Option(help="Triplets per step.")] = 2048,
    width: Annotated[int, typer.Option(help="Columns of the content.")] = 64,
    seed: Annotated[int, typer.Option(help="Seed of the graphs.")] = 0,
    hold: Annotated[int, typer.Option(hidden=True, help="Be the worker for this many edges.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="Tiny graphs; nothing is stored.")] = False,
    results: Annotated[Path | None, typer.Option(help="Folder for the result.")] = None,
) -> None:
    """Print one JSON object and store it as scale.json."""
    if hold:
        serve(lambda: contestant(hold, batch, width, seed), {"edges": hold})
        return
    if quick:
        sizes, rounds, batch = "2000,6000,20000", 2, 256
    rows = []
    for edges in map(int, sizes.split(",")):
        say(f"{edges:,} edges")
        options = ["--hold", edges, "--batch", batch, "--width", width, "--seed", seed]
        with Worker([sys.executable, str(BENCHMARKS), "scale", *map(str, options)]) as worker:
            call = {"step": lambda worker=worker: Measured(worker.run())}
            timing = interleave(call, rounds)["step"]
        answer, shape = worker.answers[-1], power_law(edges)
        rows.append(
            {
                "edges": edges,
                "users": shape.users,
                "items": shape.items,
                "seconds": timing.as_json(),
                "sampling_seconds": answer["sampling_seconds"],
                "peak_memory_gb": answer["peak_memory_gb"],
            }
        )
        say(f"  {timing.median:.3f} s per step, {answer['peak_memory_gb']:.2f} GB")
    points = [(row["edges"], row["seconds"]["median"]) for row in rows]
    content: dict[str, Any] = {
        "ratio": None,
        "limit_ratio": None,
        "exponent": exponent(points),
        "exponent_of_the_last_two": exponent(points[-2:]),
        "peak_memory_gb": max(row["peak_memory_gb"] for row in rows),
        "rows": rows,
        "shape": {"width": width, "batch": batch, "dim": 64, "layers": 2, "neighbours": 10, "features": "frozen"},
        "seed": seed,
    }
    report("scale", content, results_folder(quick, results))


def exponent(points: list[tuple[float, float]]) -> float:
    """The ``b`` of ``seconds = a · edges^b`` by least squares on logarithms.

    Example:
        >>> round(exponent([(10, 1.0), (100, 10.0), (1000, 100.0)]), 6)
        1.0
    """
    edges, seconds = (np.array([math.log(value) for value in column]) for column in zip(*points, strict=True))
    return float(np.polyfit(edges, seconds, 1)[0])


def contestant(edges: int, batch: int, width: int, seed: int) -> Any:
    """Three training steps on a graph of ``edges`` training pairs."""
    keep_freed_memory()
    pairs = make_interactions(power_law(edges, width), seed)
    graph = graph_with_drawn_neighbours(pairs, width, seed=seed)
    model = AlignRec(graph, config=AlignRecConfig(train_features=False), seed=seed)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=1e-3, fused=True)
    started = time.perf_counter()
    batches = TripletSampler(pairs, batch).epoch(child_generator(seed, "sampling"))
    first = [next(batches) for _ in range(3)]
    sampling = time.perf_counter() - started

    def run() -> dict[str, float]:
        began = time.perf_counter()
        for one in first:
            step(model, optimizer, model.loss(one))
        return {"seconds": (time.perf_counter() - began) / len(first), "sampling_seconds": sampling}

    return run


if __name__ == "__main__":
    run_program(main)
