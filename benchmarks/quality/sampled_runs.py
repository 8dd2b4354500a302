"""What is a run on sampled subgraphs worth, against one on the whole graph?

    .venv-ext/bin/python benchmarks sampled_runs data/tiktok

Needs pyg-lib or torch-sparse (``make test-ext`` builds the latter). LightGCN by ``fit``, in one process: several ranks
are the same to the last bit (``sampled_ranks``). All runs draw the same triplets and have as many epochs; validation
chooses the epoch, and the test split is ranked once.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from harness.measure import report, results_folder, say
from harness.program import run_program

from alignrec_geo.dataset.store import Dataset
from alignrec_geo.evaluation.protocols import Protocol
from alignrec_geo.models import LightGCN
from alignrec_geo.training import fit
from alignrec_geo.training.subgraphs import sampling_package

TRAINED: tuple[dict[str, Any], ...] = (
    {},
    {"num_neighbors": (10, 5), "subgraphs": 1},
    {"num_neighbors": (10, 5), "subgraphs": 4},
    {"num_neighbors": (5, 3), "subgraphs": 1},
)
"""Settings whose quality is measured; the first is the whole graph."""


def main(
    dataset: Annotated[Path, typer.Argument(help="Data set folder.")],
    epochs: Annotated[int, typer.Option(help="Most epochs of each run.")] = 30,
    lr: Annotated[float, typer.Option(help="Learning rate.")] = 0.01,
    seed: Annotated[int, typer.Option(help="Everything random follows from it.")] = 0,
    protocol: Annotated[Protocol, typer.Option(help="Ranking protocol.")] = Protocol.CLEAN,
    quick: Annotated[bool, typer.Option("--quick", help="Nothing is stored.")] = False,
    results: Annotated[Path | None, typer.Option(help="Folder for the result.")] = None,
) -> None:
    """Print one JSON object and store it as sampled-runs.json."""
    if sampling_package() is None:
        raise SystemExit("sampling neighbours needs pyg-lib or torch-sparse; 'make test-ext' makes .venv-ext with it")
    rows = qualities(Dataset.open(dataset), epochs, lr, seed, protocol)
    content = {"rows": rows, "sampler": sampling_package(), "protocol": protocol.value, "seed": seed}
    report("sampled-runs", content, results_folder(quick, results))


def qualities(
    data: Dataset, epochs: int, lr: float, seed: int, protocol: Protocol, trained: Sequence[dict[str, Any]] = TRAINED
) -> list[dict[str, Any]]:
    """How well one process ranks, on the whole graph and on subgraphs; several ranks are the same to the last bit."""
    rows = []
    for settings in trained:
        model = LightGCN.from_dataset(data, [], seed=seed)
        began = time.process_time()
        config = {"epochs": epochs, "lr": lr, "device": "cpu", "log_to": (), **settings}
        result = fit(model, config=config, protocol=protocol, seed=seed)
        names = ("recall@20", "ndcg@20")
        made = {
            "data": data.name,
            "model": "lightgcn",
            **{name: settings.get(name) for name in ("num_neighbors", "subgraphs")},
            "validation": {name: result.validation[name] for name in names},
            "test": {name: result.metrics[name] for name in names},
            "best_epoch": result.best_epoch,
            "epochs": result.epochs,
            "lr": lr,
            "cpu_seconds": round(time.process_time() - began, 1),
        }
        rows.append(made)
        say(f"{settings or 'whole graph'}: {made['validation']}, test {made['test']}, {made['cpu_seconds']} s")
    return rows


if __name__ == "__main__":
    run_program(main)
