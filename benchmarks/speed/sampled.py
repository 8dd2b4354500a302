"""A training step on the whole graph against one on sampled subgraphs, and what sampling does to quality.

    .venv-ext/bin/python benchmarks sampled --dataset data/tiktok --features image,audio --protocol mmrec

Needs pyg-lib or torch-sparse (``make test-ext`` builds the latter). Seconds of a step hold the drawing of its triplets
and its subgraph. Quality is the best validation Recall@20 within a number of epochs, with the same seed and triplets.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from harness.measure import interleave, report, results_folder, say
from harness.program import run_program
from harness.shapes import SHAPES, graph_with_drawn_neighbours, make_interactions, power_law
from torch_geometric.data import HeteroData

from alignrec_geo.dataset.interactions import Interactions, Split
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.evaluation import Evaluator
from alignrec_geo.evaluation.protocols import Protocol
from alignrec_geo.graph import to_hetero
from alignrec_geo.kernels.allocator import keep_freed_memory
from alignrec_geo.models import AlignRec
from alignrec_geo.models.on_subgraph import on_subgraph
from alignrec_geo.randomness import child_generator
from alignrec_geo.training.sampling import TripletSampler
from alignrec_geo.training.subgraphs import SubgraphSampler, sampling_package

Loss = Callable[[], torch.Tensor]
BATCHES, TRAINED_BATCH = (2048, 512), 2048
TIMED, TRAINED = ([10, 5], [5, 3]), ([10, 5], [5, 3], [3, 2])
WHOLE = "whole"


def main(
    dataset: Annotated[Path | None, typer.Option(help="Data set folder to time and train on.")] = None,
    features: Annotated[str | None, typer.Option(help="Its feature matrices, comma-separated.")] = None,
    protocol: Annotated[Protocol, typer.Option(help="Ranking protocol.")] = Protocol.CLEAN,
    edges: Annotated[int, typer.Option(help="Training pairs of the drawn graph.")] = 3_000_000,
    width: Annotated[int, typer.Option(help="Columns of the drawn graph's feature matrix.")] = 64,
    rounds: Annotated[int, typer.Option(help="Timed rounds.")] = 9,
    epochs: Annotated[int, typer.Option(help="Epochs of each training on the data set; 0 trains none.")] = 50,
    seed: Annotated[int, typer.Option(help="Everything random follows from it.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="A tiny graph, two rounds; nothing is stored.")] = False,
    results: Annotated[Path | None, typer.Option(help="Folder for the result.")] = None,
) -> None:
    """Print one JSON object and store it as sampled.json."""
    if sampling_package() is None:
        raise SystemExit("sampling neighbours needs pyg-lib or torch-sparse; 'make test-ext' makes .venv-ext with it")
    keep_freed_memory()
    drawn = SHAPES["quick"] if quick else power_law(edges, width)
    steps, quality = [], []
    if dataset is not None:
        data = Dataset.open(dataset)
        graph = to_hetero(data, None if features is None else features.split(","))
        steps += time_steps(dataset.name, graph, data.interactions, rounds, seed)
        quality = train_all(graph, data.interactions, protocol, epochs, seed) if epochs else []
    pairs = make_interactions(drawn, seed)
    graph = graph_with_drawn_neighbours(pairs, drawn.width, seed=seed)
    steps += time_steps(drawn.name, graph, pairs, 2 if quick else rounds, seed)
    content: dict[str, Any] = {
        "ratio": min(row["ratio"] for row in steps),
        "sampler": sampling_package(),
        "rows": steps,
        "quality": quality,
        "seed": seed,
    }
    report("sampled", content, results_folder(quick, results))


def time_steps(
    name: str, graph: HeteroData, pairs: Interactions, rounds: int, seed: int, timed: tuple[list[int], ...] = TIMED
) -> list[dict[str, Any]]:
    """Seconds of a step on the whole graph and on subgraphs, for each batch size."""
    rows = []
    for batch_size in BATCHES:
        calls = {WHOLE: stepper(graph, pairs, batch_size, None, seed)}
        calls |= {str(hops): stepper(graph, pairs, batch_size, hops, seed) for hops in timed}
        seconds = interleave(calls, rounds)
        whole = seconds[WHOLE].median
        for hops in map(str, timed):
            row = {
                "what": f"{name}, batch {batch_size}, {hops}",
                "users": pairs.n_users,
                "items": pairs.n_items,
                "pairs": len(pairs.of(Split.TRAIN).user),
                "batch": batch_size,
                "num_neighbors": hops,
                "seconds": {"sampled": seconds[hops].as_json(), "whole": seconds[WHOLE].as_json()},
                "ratio": whole / seconds[hops].median,
            }
            rows.append(row)
            say(f"{row['what']}: {seconds[hops].median:.3f} s, whole {whole:.3f} s, {row['ratio']:.2f}x")
    return rows


def stepper(
    graph: HeteroData, pairs: Interactions, batch_size: int, hops: list[int] | None, seed: int
) -> Callable[[], None]:
    """A call that trains one step of an endless training."""
    model = AlignRec(graph, seed=seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    losses = endless(model, graph, TripletSampler(pairs, batch_size), hops, seed)

    def step() -> None:
        loss = next(losses)()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def endless(
    model: AlignRec, graph: HeteroData, triplets: TripletSampler, hops: list[int] | None, seed: int
) -> Iterator[Loss]:
    """Losses of one batch after the other."""
    generator = child_generator(seed, "sampling")
    while True:
        yield from losses_of_epoch(model, graph, triplets, hops, generator)


def losses_of_epoch(
    model: AlignRec, graph: HeteroData, triplets: TripletSampler, hops: list[int] | None, generator: torch.Generator
) -> Iterator[Loss]:
    """What computes the loss of each batch: on the whole graph, or on a subgraph that is drawn now."""
    if hops is None:
        for batch in triplets.epoch(generator):
            yield lambda batch=batch: sum(model.loss(batch).values())  # type: ignore[misc]
    else:
        for part, batch in SubgraphSampler(graph, triplets, hops).epoch(generator):
            yield lambda part=part, batch=batch: sum(on_subgraph(model, part).loss(batch).values())  # type: ignore[misc]


def train_all(
    graph: HeteroData, pairs: Interactions, protocol: Protocol, epochs: int, seed: int
) -> list[dict[str, Any]]:
    """Train on the whole graph and on subgraphs, as long each, and say how well each ranks."""
    rows = []
    for hops in (None, *TRAINED):
        recalls = train(graph, pairs, hops, protocol, epochs, seed)
        best = max(recalls)
        row = {"num_neighbors": WHOLE if hops is None else str(hops), "recall@20": recalls, "best": best}
        rows.append(row | {"epochs": epochs, "batch": TRAINED_BATCH})
        say(f"{row['num_neighbors']}: best validation Recall@20 {best:.4f} within {epochs} epochs")
    return rows


def train(
    graph: HeteroData, pairs: Interactions, hops: list[int] | None, protocol: Protocol, epochs: int, seed: int
) -> list[float]:
    """Validation Recall@20 after each epoch."""
    model = AlignRec(graph, seed=seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    triplets, generator = TripletSampler(pairs, TRAINED_BATCH), child_generator(seed, "sampling")
    validate = Evaluator(pairs, Split.VALIDATION, protocol=protocol)
    recalls = []
    for _ in range(epochs):
        for compute in losses_of_epoch(model, graph, triplets, hops, generator):
            loss = compute()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        recalls.append(validate(model.embeddings()).metrics["recall@20"])
    return recalls


if __name__ == "__main__":
    run_program(main)
