"""What takes turns in a benchmark, each in a process of its own (see ``workers.py``).

    python benchmarks contestants step-ours-trainable --shape quick --batch 256

Processes of their own because the allocator settings of the training loop hold for a whole process.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import torch
import typer
from harness import ranking_contestants as ranking
from harness import training_contestants as training
from harness.contestant import Contestant, Setting
from harness.measure import Measured, Timing, interleave
from harness.program import run_program
from harness.shapes import SHAPES, make_dataset
from harness.workers import BENCHMARKS, Worker, serve

from alignrec_geo.kernels.matmul import use_matmul
from alignrec_geo.models import MODELS
from alignrec_geo.reporting.rows import NON_LEARNED

LEARNED = [name for name in MODELS if name not in NON_LEARNED]
"""The models that train."""

CONTESTANTS: dict[str, Contestant] = {
    "step-ours-trainable": training.our_steps(True),
    "step-naive-trainable": training.naive_steps(True),
    "step-ours-frozen": training.our_steps(False),
    "step-naive-frozen": training.naive_steps(False),
    "epoch-ours-trainable": training.our_epoch(True),
    "epoch-naive-trainable": training.naive_epoch(True),
    "epoch-ours-frozen": training.our_epoch(False),
    "epoch-naive-frozen": training.naive_epoch(False),
    "sampling-ours": training.our_sampling,
    "sampling-naive": training.naive_sampling,
    "lightgcn-ours": training.our_id_epoch(training.LIGHTGCN),
    "lightgcn-pyg": training.pyg_lightgcn_epoch,
    "bpr-ours": training.our_id_epoch(training.BPR),
    "evaluation-ours": ranking.our_evaluation,
    "evaluation-naive": ranking.naive_evaluation,
    "ranking-ours": ranking.our_ranking,
    "topk-ours": ranking.our_top_k,
    "ranking-bare": ranking.bare_ranking(1 << 23),
    "ranking-bare-small": ranking.bare_ranking(1 << 20),
    "gemm": training.product,
    **{f"step-{name}": training.model_steps(name) for name in LEARNED},
}


def start(names: Sequence[str], options: Sequence[str], env: Mapping[str, str]) -> dict[str, Worker]:
    """Start one worker per name."""
    program = [sys.executable, str(BENCHMARKS), "contestants"]
    return {name: Worker([*program, name, *options], env) for name in names}


def take_turns(workers: Mapping[str, Worker], rounds: int) -> dict[str, Timing]:
    """Let workers take turns, then end them."""

    def call(worker: Worker) -> Callable[[], Measured]:
        return lambda: Measured(worker.run())

    try:
        return interleave({name: call(worker) for name, worker in workers.items()}, rounds)
    finally:
        for worker in workers.values():
            worker.close()


def main(
    name: Annotated[str, typer.Argument(help="Contestant.")],
    shape: Annotated[str, typer.Option(help="baby, electronics or quick.")] = "baby",
    dataset: Annotated[Path | None, typer.Option(help="Data set folder whose pairs are used.")] = None,
    batch: Annotated[int, typer.Option(help="Triplets per step.")] = 2048,
    steps: Annotated[int, typer.Option(help="Steps per round.")] = 10,
    seed: Annotated[int, typer.Option(help="Seed of pairs and features.")] = 0,
) -> None:
    """Hold one contestant and run it once per line of standard input."""
    setting = Setting(make_dataset(SHAPES[shape], dataset, seed), batch, steps)
    with use_matmul(torch.device("cpu")):
        serve(lambda: CONTESTANTS[name](setting), {"contestant": name})


if __name__ == "__main__":
    run_program(main)
