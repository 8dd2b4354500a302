"""Sampled training on several ranks: what it sends and costs, and whether it is that of one process.

    .venv-ext/bin/python benchmarks sampled_ranks

Needs pyg-lib or torch-sparse, and TorchRec (``make test-ext`` installs both). LightGCN on drawn graphs of as many users
and items, over gloo, every rank a process on this machine. Bytes are counted where ``torch.distributed`` dispatches its
collectives, TorchRec's among them; CPU time is that of a process, with the drawing of the subgraphs by itself. Every
batch has as many subgraphs whatever the number of ranks, and losses and rows are compared with those of one process to
the last bit. Quality is in ``sampled_runs``.
"""

import hashlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from harness.measure import report, results_folder, say
from harness.program import run_program
from harness.sent import Sent
from harness.shapes import Shape, graph_with_drawn_neighbours, make_interactions
from harness.workers import BENCHMARKS

from alignrec_geo.dataset.interactions import Interactions
from alignrec_geo.distributed import Group
from alignrec_geo.distributed.join import joined
from alignrec_geo.kernels.allocator import keep_freed_memory
from alignrec_geo.models import LightGCN
from alignrec_geo.randomness import child_generator
from alignrec_geo.training import TrainingConfig
from alignrec_geo.training.optimizer import make_optimizer
from alignrec_geo.training.sampled.made import sampled_training
from alignrec_geo.training.sampling import TripletSampler
from alignrec_geo.training.subgraphs import sampling_package

STEPS = 6
NODES = 40_000, 15_000
"""Users and items."""


def main(
    ranks: Annotated[str, typer.Option(help="Numbers of ranks, comma-separated; the first must be 1.")] = "1,2,4",
    sizes: Annotated[str, typer.Option(help="Training edges, comma-separated.")] = "200000,1000000",
    batch: Annotated[int, typer.Option(help="Triplets per step.")] = 2048,
    subgraphs: Annotated[int, typer.Option(help="Subgraphs of a batch.")] = 4,
    hold: Annotated[str, typer.Option(hidden=True, help="Be a rank, with these settings.")] = "",
    quick: Annotated[bool, typer.Option("--quick", help="A tiny graph; nothing is stored.")] = False,
    results: Annotated[Path | None, typer.Option(help="Folder for the result.")] = None,
) -> None:
    """Print one JSON object and store it as sampled-ranks.json."""
    if hold:
        rank(**json.loads(hold))
        return
    if sampling_package() is None:
        raise SystemExit("sampling neighbours needs pyg-lib or torch-sparse; 'make test-ext' makes .venv-ext with it")
    if quick:
        ranks, sizes, batch = "1,2", "3000", 256
    nodes = (300, 150) if quick else NODES
    shape = {"users": nodes[0], "items": nodes[1], "batch": batch, "dim": 64, "layers": 2, "steps": STEPS}
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as made:
        for edges in map(int, sizes.split(",")):
            pairs = make_interactions(Shape(f"ranks-{edges}", *nodes, edges, 0))
            np.savez(Path(made) / f"{edges}.npz", user=pairs.user, item=pairs.item, split=pairs.split)
            settings = {"made": made, "nodes": nodes, "edges": edges, "batch": batch, "subgraphs": subgraphs}
            alone: dict[str, Any] = {}
            for size in map(int, ranks.split(",")):
                answers = run(size, settings)
                alone = answers[0] if size == 1 else alone
                rows.append(row(edges, size, answers, alone))
    content = {
        "rows": rows,
        "shape": shape | {"num_neighbors": [10, 5], "subgraphs": subgraphs},
        "sampler": sampling_package(),
    }
    report("sampled-ranks", content, results_folder(quick, results))


def row(edges: int, size: int, answers: list[dict[str, Any]], alone: dict[str, Any]) -> dict[str, Any]:
    """What a number of ranks measured, in one row."""

    def mean(name: str) -> float:
        return float(np.mean([answer[name] for answer in answers]))

    made = {
        "edges": edges,
        "ranks": size,
        "sent_mb": mean("sent") / 1e6,
        "sent_mb_by": {name: value / 1e6 for name, value in answers[0]["sent_by"].items()},
        "looked_up": mean("looked_up"),
        "step_cpu_ms": 1e3 * mean("step"),
        "draw_cpu_ms": 1e3 * mean("draw"),
        "same_losses": all(answer["losses"] == alone["losses"] for answer in answers),
        "same_rows": answers[0]["digest"] == alone["digest"],
    }
    say(
        f"{edges:,} edges, {size} ranks: {made['sent_mb']:.2f} MB, {made['step_cpu_ms']:.0f} ms and "
        f"{made['draw_cpu_ms']:.0f} ms for drawing, per rank and step; same losses: {made['same_losses']}, "
        f"same rows: {made['same_rows']}"
    )
    return made


def run(size: int, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Train with so many ranks; what each of them measured."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(size), "OMP_NUM_THREADS": "1"}
    line = [sys.executable, str(BENCHMARKS), "sampled_ranks", "--hold", json.dumps(settings)]
    started = [
        subprocess.Popen(line, env={**os.environ, **place, "RANK": str(number)}, stdout=subprocess.PIPE, text=True)
        for number in range(size)
    ]
    said = [process.communicate()[0] for process in started]
    if any(process.returncode for process in started):
        sys.exit(f"a rank of {size} failed")
    return [json.loads(text.splitlines()[-1]) for text in said]


def rank(made: str, nodes: tuple[int, int], edges: int, batch: int, subgraphs: int) -> None:
    """Be one of the ranks: train a few steps, and print what they cost."""
    torch.set_num_threads(1)
    keep_freed_memory()
    with np.load(Path(made) / f"{edges}.npz") as stored:
        pairs = Interactions(stored["user"], stored["item"], stored["split"], *nodes)
    with joined() as group:
        answer = trained(group, pairs, TrainingConfig(num_neighbors=(10, 5), subgraphs=subgraphs, batch_size=batch))
    print(json.dumps(answer))


def trained(group: Group | None, pairs: Interactions, config: TrainingConfig) -> dict[str, Any]:
    """Train a few steps, and return what they cost this rank."""
    model = LightGCN(graph_with_drawn_neighbours(pairs, 0))
    sampled = sampled_training(model, config, TripletSampler(pairs, config.batch_size))
    optimizer = make_optimizer(model, config) if sampled.rows is None else sampled.rows.optimizer
    assert optimizer is not None
    batches = sampled.sampler.epoch(child_generator(0, "sampling"))
    answer: dict[str, Any] = {"losses": []}
    seconds, drawing, looked_up = [], [], []
    with Sent(*((1, 0) if group is None else (group.size, group.rank))) as sent:
        for _ in range(STEPS):
            began = time.process_time()
            parted = next(batches)
            drawing.append(time.process_time() - began)
            began = time.process_time()
            optimizer.zero_grad()
            loss = torch.stack([*sampled.loss(parted).values()]).sum()
            loss.backward()
            optimizer.step()
            seconds.append(time.process_time() - began)
            answer["losses"].append(float(loss.detach()))
            looked_up.append(sum(part.graph[kind].num_nodes for part in parted.parts for kind in ("user", "item")))
    answer |= {"step": float(np.median(seconds[1:])), "draw": float(np.median(drawing[1:])), **sent.per_step(STEPS)}
    if sampled.rows is not None:
        sampled.rows.give()
    tables = [model.user_embedding.detach(), model.item_embedding.detach()]
    whole = tables if group is None else [group.all_columns(table, model.config.dim) for table in tables]
    digest = hashlib.sha256(b"".join(table.contiguous().numpy().tobytes() for table in whole))
    return answer | {"looked_up": float(np.mean(looked_up)), "digest": digest.hexdigest()}


if __name__ == "__main__":
    run_program(main)
