"""What training on many ranks sends and costs per rank and step, and whether it is the training of one process.

    python benchmarks distributed

Every number of ranks is as many processes on this machine, over gloo, on drawn graphs of as many users and items.
Bytes are counted where ``torch.distributed`` dispatches its collectives, as a ring sends them: ``(P - 1) / P`` of what
an all-gather or a reduce-scatter moves in all, and twice that for an all-reduce. CPU time is that of a process, so that
waiting for a core costs nothing; losses and parameters are compared with those of one process after six steps.
"""

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
from alignrec_geo.distributed.whole import gather_model
from alignrec_geo.kernels.allocator import keep_freed_memory
from alignrec_geo.models import AlignRec, LightGCN, Recommender
from alignrec_geo.models.alignrec_config import AlignRecConfig
from alignrec_geo.randomness import child_generator
from alignrec_geo.training.config import TrainingConfig
from alignrec_geo.training.optimizer import make_optimizer
from alignrec_geo.training.sampling import TripletSampler

STEPS = 6
NODES = 40_000, 15_000
"""Users and items."""
MODELS = ("lightgcn", "alignrec-frozen", "alignrec-trained")


def main(
    ranks: Annotated[str, typer.Option(help="Numbers of ranks, comma-separated; the first must be 1.")] = "1,2,4,8",
    sizes: Annotated[str, typer.Option(help="Training edges, comma-separated.")] = "200000,1000000,4000000",
    models: Annotated[str, typer.Option(help="Models, comma-separated.")] = ",".join(MODELS),
    most: Annotated[str, typer.Option(help="Most edges of each model, comma-separated.")] = "4000000,1000000,200000",
    batch: Annotated[int, typer.Option(help="Triplets per step.")] = 2048,
    width: Annotated[int, typer.Option(help="Columns of the content.")] = 256,
    hold: Annotated[str, typer.Option(hidden=True, help="Be a rank, with these settings.")] = "",
    quick: Annotated[bool, typer.Option("--quick", help="A tiny graph; nothing is stored.")] = False,
    results: Annotated[Path | None, typer.Option(help="Folder for the result.")] = None,
) -> None:
    """Print one JSON object and store it as distributed.json."""
    if hold:
        rank(**json.loads(hold))
        return
    if quick:
        ranks, sizes, models, batch, width = "1,2", "3000", "lightgcn,alignrec-frozen", 256, 32
    nodes = (300, 150) if quick else NODES
    limits = dict(zip(models.split(","), map(int, most.split(",")), strict=False))
    with tempfile.TemporaryDirectory() as made:
        cases = []
        for edges in map(int, sizes.split(",")):
            pairs = make_interactions(Shape(f"ranks-{edges}", *nodes, edges, width))
            np.savez(Path(made) / f"{edges}.npz", user=pairs.user, item=pairs.item, split=pairs.split)
            cases += [{"model": model, "edges": edges} for model, limit in limits.items() if edges <= limit]
        settings = {"cases": cases, "batch": batch, "width": width, "made": made, "nodes": nodes}
        rows = compared([int(count) for count in ranks.split(",")], settings)
    content: dict[str, Any] = {
        "rows": rows,
        "shape": {
            "users": nodes[0],
            "items": nodes[1],
            "batch": batch,
            "width": width,
            "dim": 64,
            "layers": 2,
            "steps": STEPS,
        },
        "largest_loss_difference": max(row["loss_difference"] for row in rows),
        "largest_parameter_difference": max(row["parameter_difference"] for row in rows),
    }
    report("distributed", content, results_folder(quick, results))


def compared(ranks: list[int], settings: dict[str, Any]) -> list[dict[str, Any]]:
    """One row for every case and number of ranks, compared with one process, which is the first number."""
    rows: list[dict[str, Any]] = []
    alone: list[Any] = []
    for size in ranks:
        answers = run(size, settings)
        alone = answers[0] if size == 1 else alone
        for number, case in enumerate(settings["cases"]):
            of_ranks = [answer[number] for answer in answers]
            first = of_ranks[0]
            row = {
                **case,
                "ranks": size,
                "sent_mb": first["sent"] / 1e6,
                "sent_mb_by": {name: value / 1e6 for name, value in first["sent_by"].items()},
                "collectives": first["collectives"],
                "cpu_ms": 1e3 * sum(answer["cpu"] for answer in of_ranks) / size,
                "loss_difference": float(np.abs(np.subtract(first["losses"], alone[number]["losses"])).max()),
                "parameter_difference": first["difference"],
            }
            rows.append(row)
            say(
                f"{row['model']}, {row['edges']:,} edges, {size} ranks: {row['sent_mb']:.2f} MB and "
                f"{row['cpu_ms']:.0f} ms of CPU per rank and step; losses differ by {row['loss_difference']:.1e}, "
                f"parameters by {row['parameter_difference']:.1e}"
            )
    return rows


def run(size: int, settings: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """Run all cases with so many ranks; what each of them measured."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(size), "OMP_NUM_THREADS": "1"}
    line = [sys.executable, str(BENCHMARKS), "distributed", "--hold", json.dumps(settings)]
    started = [
        subprocess.Popen(line, env={**os.environ, **place, "RANK": str(number)}, stdout=subprocess.PIPE, text=True)
        for number in range(size)
    ]
    said = [process.communicate()[0] for process in started]
    if any(process.returncode for process in started):
        sys.exit(f"a rank of {size} failed")
    return [json.loads(text.splitlines()[-1]) for text in said]


def rank(cases: list[dict[str, Any]], batch: int, width: int, made: str, nodes: tuple[int, int]) -> None:
    """Be one of the ranks: train a few steps of each case, and print what they cost."""
    torch.set_num_threads(1)
    keep_freed_memory()
    with joined() as group:
        answers = [trained(group, case, batch, width, Path(made), nodes) for case in cases]
    print(json.dumps(answers))


def trained(
    group: Group | None, case: dict[str, Any], batch: int, width: int, made: Path, nodes: tuple[int, int]
) -> dict[str, Any]:
    """Train a few steps, and return what they cost this rank."""
    with np.load(made / f"{case['edges']}.npz") as stored:
        pairs = Interactions(stored["user"], stored["item"], stored["split"], *nodes)
    model = built(case["model"], pairs, width)
    optimizer = make_optimizer(model, TrainingConfig())
    assert optimizer is not None
    batches = TripletSampler(pairs, batch).epoch(child_generator(0, "sampling"))
    losses, seconds = [], []
    with Sent(1 if group is None else group.size) as sent:
        for _ in range(STEPS):
            drawn = next(batches)
            began = time.process_time()
            optimizer.zero_grad()
            loss = torch.stack([*model.loss(drawn).values()]).sum()
            loss.backward()
            optimizer.step()
            seconds.append(time.process_time() - began)
            losses.append(float(loss.detach()))
    answer = {"losses": losses, "cpu": float(np.median(seconds[1:])), **sent.per_step(STEPS)}
    if group is None or gather_model(group, model):
        file = made / f"{case['model']}-{case['edges']}.pt"
        answer["difference"] = difference(model, file, keep=group is None)
    return answer


def built(name: str, pairs: Interactions, width: int) -> Recommender:
    """The model that a row is about."""
    graph = graph_with_drawn_neighbours(pairs, width)
    if name == "lightgcn":
        return LightGCN(graph)
    return AlignRec(graph, config=AlignRecConfig(train_features=name == "alignrec-trained"))


def difference(model: Recommender, file: Path, keep: bool) -> float:
    """How far the parameters are at most from those of one process, which are kept in a file."""
    own = dict(model.state_dict())
    if keep:
        torch.save(own, file)
        return 0.0
    kept = torch.load(file, weights_only=True)
    return max(float((own[name] - kept[name]).abs().max()) for name in kept)


if __name__ == "__main__":
    run_program(main)
