"""What the backends of torch-sparse and torch-scatter cost against torch's own, on the same matrix and batch.

    make test-ext && .venv-ext/bin/python benchmarks ext_backends

Rows of every backend are checked against torch's before anything is timed.
"""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from harness.measure import interleave, report, results_folder
from harness.program import run_program
from harness.shapes import SHAPES, make_interactions

from alignrec_geo.dataset import Dataset
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.graph.adjacency import symmetric_adjacency
from alignrec_geo.kernels.backends import available, use_backends
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.gather import gather_rows
from alignrec_geo.kernels.spmm import spmm

BACKENDS = {"spmm": ("torch", "torch-sparse", "torch-scatter"), "gather": ("torch", "torch-scatter")}


def main(
    dataset: Annotated[Path | None, typer.Option(help="Data set folder whose pairs are used; else drawn ones.")] = None,
    shape: Annotated[str, typer.Option(help="Shape of drawn pairs.")] = "baby",
    width: Annotated[int, typer.Option(help="Embedding size.")] = 64,
    batch: Annotated[int, typer.Option(help="Triplets per step; three rows each.")] = 2048,
    rounds: Annotated[int, typer.Option(help="Timed rounds.")] = 15,
    quick: Annotated[bool, typer.Option("--quick", help="A tiny shape, two rounds; nothing is stored.")] = False,
    results: Annotated[Path | None, typer.Option(help="Folder for the result.")] = None,
) -> None:
    """Print one JSON object with a row per operation and backend, and store it as ext-backends.json."""
    if quick:
        shape, rounds, dataset = "quick", 2, None
    pairs = make_interactions(SHAPES[shape]) if dataset is None else Dataset.open(dataset).interactions
    train = pairs.of(Split.TRAIN)
    edges = torch.stack([torch.from_numpy(train.user), torch.from_numpy(train.item)])
    adjacency = symmetric_adjacency(edges, pairs.n_users, pairs.n_items)
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(adjacency.shape[0], width, generator=generator)
    rows = torch.randint(len(table), (3 * batch,), generator=generator)
    measured = products(adjacency, table, rounds) + sums(table, rows, rounds)
    packages = {name: version(name) for name in ("torch-scatter", "torch-sparse") if available(name)}
    sizes = {"nodes": len(table), "stored_entries": adjacency.nnz, "width": width, "gathered_rows": len(rows)}
    report("ext-backends", {"packages": packages, **sizes, "rows": measured}, results_folder(quick, results))


def products(adjacency: CSR, x: torch.Tensor, rounds: int) -> list[dict[str, Any]]:
    """One propagation, forward and backward."""
    table = x.clone().requires_grad_()

    def step() -> torch.Tensor:
        result = spmm(adjacency, table)
        return torch.autograd.grad(result, table, x)[0]

    return compare("spmm", "one propagation, forward and backward", step, rounds)


def sums(x: torch.Tensor, rows: torch.Tensor, rounds: int) -> list[dict[str, Any]]:
    """One gather of a batch's rows, forward and backward."""
    table = x.clone().requires_grad_()
    weight = torch.ones(len(rows), x.shape[1])

    def step() -> torch.Tensor:
        return torch.autograd.grad(gather_rows(table, rows), table, weight)[0]

    return compare("gather", "rows of one batch, forward and backward", step, rounds)


def compare(operation: str, what: str, step: Callable[[], torch.Tensor], rounds: int) -> list[dict[str, Any]]:
    """Medians of every installed backend in turns, and their ratios to torch's."""

    def forced(backend: str) -> Callable[[], torch.Tensor]:
        def run() -> torch.Tensor:
            with use_backends(**{operation: backend}):
                return step()

        return run

    calls = {backend: forced(backend) for backend in BACKENDS[operation] if available(backend)}
    expected = calls["torch"]()
    for call in calls.values():
        torch.testing.assert_close(call(), expected, rtol=1e-4, atol=1e-5)
    times = interleave(calls, rounds, warmup=3)
    return [
        {
            "operation": operation,
            "what": what,
            "backend": backend,
            "milliseconds": 1000 * timing.median,
            "quartiles": [1000 * timing.lower, 1000 * timing.upper],
            "ratio_to_torch": timing.median / times["torch"].median,
        }
        for backend, timing in times.items()
    ]


if __name__ == "__main__":
    run_program(main)
