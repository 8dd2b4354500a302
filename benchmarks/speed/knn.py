"""Exact item neighbours of a large catalogue: time, memory above the features, and exactness.

    python benchmarks knn

Runs in this process alone: the memory is its own. Exactness: the neighbours of drawn rows are found again in double
precision against all items.
"""

import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
import typer
from harness.measure import PeakMemory, Rates, Timing, report, results_folder, say
from harness.program import run_program
from harness.step_cost import nearest
from torch import Tensor

from alignrec_geo.graph.item_knn import item_knn
from alignrec_geo.kernels.allocator import keep_freed_memory


def main(
    items: Annotated[int, typer.Option(help="Rows.")] = 63_001,
    width: Annotated[int, typer.Option(help="Columns.")] = 768,
    k: Annotated[int, typer.Option(help="Neighbours, itself included.")] = 10,
    rounds: Annotated[int, typer.Option(help="Timed rounds.")] = 3,
    checked: Annotated[int, typer.Option(help="Rows checked against brute force.")] = 256,
    seed: Annotated[int, typer.Option(help="Seed of the features.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="A tiny shape, two rounds; nothing is stored.")] = False,
    results: Annotated[Path | None, typer.Option(help="Folder for the result.")] = None,
) -> None:
    """Print one JSON object and store it as knn.json."""
    if quick:
        items, width, rounds, checked = 500, 32, 2, 50
    matrix = np.random.default_rng(seed).standard_normal((items, width), dtype=np.float32)
    x, present = torch.from_numpy(matrix), torch.ones(items, dtype=torch.bool)
    keep_freed_memory()
    seconds, peaks = [], []
    for number in range(rounds):
        with PeakMemory() as peak:
            started = time.perf_counter()
            edges, _ = item_knn(x, present, k, cache=False)
            seconds.append(time.perf_counter() - started)
        peaks.append(peak.gb)
        say(f"round {number + 1}: {seconds[-1]:.1f} s, {peak.gb:.2f} GB above the features")
    rates, timing = Rates(), Timing.of(seconds)
    limit = nearest(items, width, k).limit(rates)
    content: dict[str, Any] = {
        "ratio": None,
        "limit_ratio": timing.median / limit,
        "seconds": timing.as_json(),
        "limit_seconds": limit,
        "peak_memory_above_features_gb": peaks[0],
        "features_gb": x.numel() * 4 / 1e9,
        "rows_checked": checked,
        "largest_similarity_gap": check(x, edges, k, checked, seed),
        "shape": {"items": items, "width": width, "k": k},
        "seed": seed,
        "rates": rates.as_json(),
    }
    report("knn", content, results_folder(quick, results))


def check(x: Tensor, edges: Tensor, k: int, rows: int, seed: int) -> float:
    """Find the neighbours of drawn rows anew, and return by how much the two differ in similarity at most.

    Args:
        x: ``[I, D]``.
        edges: the ``edge_index`` to check.
        k: neighbours per row.
        rows: how many are drawn.
        seed: of the draw.

    Raises:
        AssertionError: a row has other neighbours whose similarity differs by more than rounding (1e-6).
    """
    chosen = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))[:rows]
    unit = F.normalize(x.double(), dim=1)
    similarity = unit[chosen] @ unit.T  # [rows, I]
    best = similarity.topk(k, dim=1).values
    neighbour, centre = edges
    worst = 0.0
    for row, expected, scores in zip(chosen.tolist(), best, similarity, strict=True):
        found = neighbour[centre == row]
        if len(found) != k or len(found.unique()) != k:
            raise AssertionError(f"row {row} has {len(found)} neighbours, {k} expected")
        worst = max(worst, float((scores[found].sort(descending=True).values - expected).abs().max()))
    if worst > 1e-6:
        raise AssertionError(f"a neighbour was missed: similarities differ by {worst:.1e}")
    return worst


if __name__ == "__main__":
    run_program(main)
