"""Where a training step's time goes: its parts, run alone one after the other, forward and backward.

    python benchmarks step_profile --dataset data/baby

The parts overlap a little (each makes its own output gradient), so they need not add up to the step.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import torch
import typer
from harness.contestant import Setting, first_batches, our_model, step, trained
from harness.measure import interleave, report, results_folder
from harness.program import run_program
from harness.shapes import SHAPES, make_dataset

from alignrec_geo.kernels.allocator import keep_freed_memory
from alignrec_geo.kernels.infonce import infonce
from alignrec_geo.kernels.similarity_gap import similarity_gap
from alignrec_geo.kernels.spmm import mean_propagation
from alignrec_geo.kernels.unique import Unique, unique_with_counts
from alignrec_geo.models import AlignRec, Batch


def main(
    dataset: Annotated[Path | None, typer.Option(help="Data set folder whose pairs are used; else drawn ones.")] = None,
    rounds: Annotated[int, typer.Option(help="Timed rounds.")] = 15,
    quick: Annotated[bool, typer.Option("--quick", help="A tiny shape, two rounds; nothing is stored.")] = False,
    results: Annotated[Path | None, typer.Option(help="Folder for the result.")] = None,
) -> None:
    """Print one JSON object, and store it as step-profile.json."""
    keep_freed_memory()
    shape, size, rounds = ("quick", 64, 2) if quick else ("baby", 2048, rounds)
    data = make_dataset(SHAPES[shape], None if quick else dataset)
    model = our_model(data, trainable=True)
    batch = first_batches(Setting(data, batch=size, steps=1))[0]
    optimizer = torch.optim.Adam(trained(model), fused=True)
    timings = interleave(parts(model, batch, optimizer), rounds, warmup=3)
    content = {
        "milliseconds": {name: round(1e3 * timing.median, 2) for name, timing in timings.items()},
        "distinct": {
            "users": len(unique_with_counts(batch.users).index),
            "positives": len(unique_with_counts(batch.positives).index),
            "batch": len(batch.users),
        },
    }
    report("step-profile", content, results_folder(quick, results))


def parts(model: AlignRec, batch: Batch, optimizer: torch.optim.Optimizer) -> dict[str, Callable[[], object]]:
    """The whole step and its parts by name."""
    generator = torch.Generator().manual_seed(0)
    size, dim = len(batch.users), model.config.dim
    nodes = torch.randn(model.n_users + model.n_items, dim, generator=generator).requires_grad_()
    content, identity = (torch.randn(size, dim, generator=generator).requires_grad_() for _ in range(2))
    users, positives = unique_with_counts(batch.users), unique_with_counts(batch.positives)

    def alignment(side: Unique) -> None:
        query, key = content[: len(side.index)], identity[: len(side.index)]
        infonce(query, key, weight=side.counts).backward()

    def projection() -> None:
        model.zero_grad()
        users_part, items_part = model._content_views()
        torch.autograd.backward([users_part, items_part], [torch.ones_like(users_part), torch.ones_like(items_part)])

    def gap() -> None:
        anchor = model._anchor_rows(batch.positives[positives.index])
        similarity_gap(content[: len(anchor)], anchor, positives.counts).backward()

    def propagation() -> None:
        mean_propagation(model.user_item_graph, nodes, model.config.layers).backward(torch.ones_like(nodes))

    step(model, optimizer, model.loss(batch))
    return {
        "whole step": lambda: step(model, optimizer, model.loss(batch)),
        "content branch: projection, gate, item graph, items to users": projection,
        "InfoNCE of users": lambda: alignment(users),
        "InfoNCE of positives": lambda: alignment(positives),
        "similarity regulariser": gap,
        "propagation of identities": propagation,
        "Adam": optimizer.step,
    }


if __name__ == "__main__":
    run_program(main)
