"""What takes turns in a benchmark, each in a process of its own (see ``workers.py``).

    python benchmarks contestants step-ours-trainable --shape quick --batch 256

Processes of their own because the allocator settings of the training loop hold for a whole process.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from harness.measure import Measured, Timing, interleave
from harness.naive import NaiveAlignRec, NaiveEvaluator, NaiveSampler, naive_twin
from harness.shapes import FEATURE, SHAPES, make_dataset
from harness.workers import BENCHMARKS, Worker, serve
from torch_geometric.nn import LightGCN

from alignrec_geo.dataset import Dataset
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.evaluation import Evaluator, Protocol
from alignrec_geo.graph import to_hetero
from alignrec_geo.kernels.allocator import keep_freed_memory
from alignrec_geo.kernels.matmul import use_matmul
from alignrec_geo.models import MODELS, AlignRec, AlignRecConfig, Batch, Recommender
from alignrec_geo.observer import Observer
from alignrec_geo.randomness import child_generator
from alignrec_geo.reporting.rows import NON_LEARNED
from alignrec_geo.training import TrainingConfig, fit
from alignrec_geo.training.sampling import TripletSampler

CLOCK = "ALIGNREC_BENCHMARK_CLOCK"
"""Environment variable: ``cpu`` measures seconds of the processor, for a machine that others use meanwhile."""

LONGEST = 60.0
"""A naive epoch that would take longer is measured on a slice of its steps."""

LIGHTGCN = AlignRecConfig(layers=3, uia_weight=0.0)
"""AlignRec without features and with this is LightGCN: its propagation and BPR; L2 on the final rows, not the first."""

BPR = AlignRecConfig(layers=0, uia_weight=0.0)
"""And this is matrix factorisation with BPR."""

LEARNED = [name for name in MODELS if name not in NON_LEARNED]
"""The models that train."""

PRODUCT = (4096, 256, 256)
"""Rows, inner width and columns of the contestant that is a matrix product."""


@dataclass(frozen=True)
class Setting:
    """What every contestant is told.

    Args:
        dataset: pairs and features.
        batch: triplets per step.
        steps: training steps per round, where a round is not an epoch.
    """

    dataset: Dataset
    batch: int
    steps: int


Answer = float | dict[str, Any]


def our_model(dataset: Dataset, trainable: bool) -> AlignRec:
    """AlignRec with the defaults of the package."""
    return AlignRec(to_hetero(dataset), config=AlignRecConfig(train_features=trainable))


def id_model(dataset: Dataset, config: AlignRecConfig) -> AlignRec:
    """AlignRec without features."""
    return AlignRec(to_hetero(dataset, []), [], config)


def first_batches(setting: Setting) -> list[Batch]:
    """The batches of the first epoch."""
    sampler = TripletSampler(setting.dataset.interactions, setting.batch)
    return list(sampler.epoch(child_generator(0, "sampling")))


def step(model: torch.nn.Module, optimizer: torch.optim.Optimizer, terms: dict[str, torch.Tensor]) -> None:
    """The rest of a training step, once the loss terms are there."""
    optimizer.zero_grad()
    torch.stack([term.reshape(()) for term in terms.values()]).sum().backward()
    optimizer.step()


def trained(model: torch.nn.Module) -> list[torch.nn.Parameter]:
    """The parameters that are trained."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def our_steps(trainable: bool) -> Callable[[Setting], Callable[[], Answer]]:
    """Training steps of the package: fused Adam, freed memory kept, as in its training loop."""

    def make(setting: Setting) -> Callable[[], Answer]:
        keep_freed_memory()
        return _steps(our_model(setting.dataset, trainable), setting, fused=True)

    return make


def naive_steps(trainable: bool) -> Callable[[Setting], Callable[[], Answer]]:
    """The same steps, naive, with Adam as it comes."""

    def make(setting: Setting) -> Callable[[], Answer]:
        return _steps(naive_twin(our_model(setting.dataset, trainable)), setting, fused=None)

    return make


def model_steps(name: str) -> Callable[[Setting], Callable[[], Answer]]:
    """Training steps of a model with its defaults, as in the training loop."""

    def make(setting: Setting) -> Callable[[], Answer]:
        keep_freed_memory()
        kind = MODELS[name]
        model = kind(to_hetero(setting.dataset), [FEATURE] if kind.uses_features else [])
        model.start_epoch(1, child_generator(0, "model"))
        return _steps(model, setting, fused=True)

    return make


def product(setting: Setting) -> Callable[[], Answer]:
    """Matrix products of the shape :data:`PRODUCT`."""
    rows, inner, columns = PRODUCT
    a, b, out = torch.randn(rows, inner), torch.randn(inner, columns), torch.empty(rows, columns)

    def products() -> None:
        for _ in range(setting.steps):
            torch.mm(a, b, out=out)

    return lambda: _timed(products) / setting.steps


def our_epoch(trainable: bool) -> Callable[[Setting], Callable[[], Answer]]:
    """An epoch of the package's training loop with its validation, as the loop itself times it."""

    def make(setting: Setting) -> Callable[[], Answer]:
        model = our_model(setting.dataset, trainable)
        config = TrainingConfig(epochs=1, batch_size=setting.batch)

        def run() -> Answer:
            clock = _Clock()
            fit(model, setting.dataset, config, protocol=Protocol.MMREC, observers=[clock])
            return clock.seconds

        return run

    return make


def naive_epoch(trainable: bool) -> Callable[[Setting], Callable[[], Answer]]:
    """Sampling, steps and one validation, naive; a slice of the steps where the whole would take over a minute."""

    def make(setting: Setting) -> Callable[[], Answer]:
        model = naive_twin(our_model(setting.dataset, trainable))
        optimizer = torch.optim.Adam(trained(model), lr=1e-3)
        pairs = setting.dataset.interactions
        sampler, evaluator = NaiveSampler(pairs, setting.batch), NaiveEvaluator(pairs, Split.VALIDATION)
        total = -(-len(sampler.pairs) // setting.batch)

        def run() -> Answer:
            started, done = time.perf_counter(), 0
            for batch in sampler.epoch():
                step(model, optimizer, model.loss(batch))
                done += 1
                spent = time.perf_counter() - started
                if done >= setting.steps and spent / done * total > LONGEST:
                    break
            training = (time.perf_counter() - started) * total / done
            started = time.perf_counter()
            evaluator(model)
            return {"seconds": training + time.perf_counter() - started, "steps_measured": done, "steps": total}

        return run

    return make


def our_sampling(setting: Setting) -> Callable[[], Answer]:
    """The triplets of an epoch, drawn at once."""
    sampler, generator = TripletSampler(setting.dataset.interactions, setting.batch), child_generator(0, "sampling")
    return lambda: _timed(lambda: list(sampler.epoch(generator)))


def naive_sampling(setting: Setting) -> Callable[[], Answer]:
    """The triplets of an epoch, drawn one by one."""
    sampler = NaiveSampler(setting.dataset.interactions, setting.batch)
    return lambda: _timed(lambda: list(sampler.epoch()))


def our_id_epoch(config: AlignRecConfig) -> Callable[[Setting], Callable[[], Answer]]:
    """A training epoch of the package without features and without validation: sampling and steps."""

    def make(setting: Setting) -> Callable[[], Answer]:
        keep_freed_memory()
        model = id_model(setting.dataset, config)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
        sampler = TripletSampler(setting.dataset.interactions, setting.batch)
        generator = child_generator(0, "sampling")

        def epoch() -> None:
            for batch in sampler.epoch(generator):
                step(model, optimizer, model.loss(batch))

        return lambda: _timed(epoch)

    return make


def pyg_lightgcn_epoch(setting: Setting) -> Callable[[], Answer]:
    """A training epoch of PyG's ``LightGCN`` in the manner of its example: 3 layers, message passing on edge_index."""
    train = setting.dataset.interactions.of(Split.TRAIN)
    n_users, n_items = train.n_users, train.n_items
    pairs = torch.stack([torch.from_numpy(train.user), torch.from_numpy(train.item) + n_users])
    edge_index = torch.cat([pairs, pairs.flip(0)], dim=1)
    model = LightGCN(n_users + n_items, embedding_dim=64, num_layers=3)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loader = torch.utils.data.DataLoader(range(pairs.shape[1]), shuffle=True, batch_size=setting.batch)

    def epoch() -> None:
        for rows in loader:
            positive = pairs[:, rows]
            negative = torch.stack([positive[0], torch.randint(n_users, n_users + n_items, (len(rows),))])
            both = torch.cat([positive, negative], dim=1)
            optimizer.zero_grad()
            ranks = model(edge_index, both).chunk(2)
            model.recommendation_loss(*ranks, node_id=both.unique()).backward()
            optimizer.step()

    return lambda: _timed(epoch)


def our_evaluation(setting: Setting) -> Callable[[], Answer]:
    """One forward, then all metrics of all users who have a validation item."""
    keep_freed_memory()
    model = our_model(setting.dataset, trainable=True)
    evaluator = Evaluator(setting.dataset.interactions, Split.VALIDATION, Protocol.MMREC)
    return lambda: _timed(lambda: evaluator(model.embeddings()).metrics)


def naive_evaluation(setting: Setting) -> Callable[[], Answer]:
    """The same, naive."""
    model = naive_twin(our_model(setting.dataset, trainable=True))
    evaluator = NaiveEvaluator(setting.dataset.interactions, Split.VALIDATION)
    return lambda: _timed(lambda: evaluator(model))


def our_ranking(setting: Setting) -> Callable[[], Answer]:
    """All metrics of all users from tables that are there."""
    keep_freed_memory()
    tables = our_model(setting.dataset, trainable=True).embeddings()
    evaluator = Evaluator(setting.dataset.interactions, Split.VALIDATION, Protocol.MMREC)
    return lambda: _timed(lambda: evaluator(tables).metrics)


def our_top_k(setting: Setting) -> Callable[[], Answer]:
    """The best items of the same users, seen ones left out, without metrics."""
    keep_freed_memory()
    tables = our_model(setting.dataset, trainable=True).embeddings()
    evaluator = Evaluator(setting.dataset.interactions, Split.VALIDATION, Protocol.MMREC)
    return lambda: _timed(lambda: list(evaluator.rank(tables)))


def bare_ranking(at_once: int) -> Callable[[Setting], Callable[[], Answer]]:
    """Nothing but the product in blocks of ``at_once`` scores and ``torch.topk``, into buffers that are there."""

    def make(setting: Setting) -> Callable[[], Answer]:
        keep_freed_memory()
        users, items = our_model(setting.dataset, trainable=True).embeddings()
        rows = Evaluator(setting.dataset.interactions, Split.VALIDATION, Protocol.MMREC).users
        block = max(1, at_once // len(items))
        scores = torch.empty(block, len(items))

        def rank() -> None:
            for chosen in rows.split(block):
                torch.mm(users[chosen], items.T, out=scores[: len(chosen)])
                scores[: len(chosen)].topk(50, dim=1)

        return lambda: _timed(rank)

    return make


CONTESTANTS: dict[str, Callable[[Setting], Callable[[], Answer]]] = {
    "step-ours-trainable": our_steps(True),
    "step-naive-trainable": naive_steps(True),
    "step-ours-frozen": our_steps(False),
    "step-naive-frozen": naive_steps(False),
    "epoch-ours-trainable": our_epoch(True),
    "epoch-naive-trainable": naive_epoch(True),
    "epoch-ours-frozen": our_epoch(False),
    "epoch-naive-frozen": naive_epoch(False),
    "sampling-ours": our_sampling,
    "sampling-naive": naive_sampling,
    "lightgcn-ours": our_id_epoch(LIGHTGCN),
    "lightgcn-pyg": pyg_lightgcn_epoch,
    "bpr-ours": our_id_epoch(BPR),
    "evaluation-ours": our_evaluation,
    "evaluation-naive": naive_evaluation,
    "ranking-ours": our_ranking,
    "topk-ours": our_top_k,
    "ranking-bare": bare_ranking(1 << 23),
    "ranking-bare-small": bare_ranking(1 << 20),
    "gemm": product,
    **{f"step-{name}": model_steps(name) for name in LEARNED},
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


class _Clock(Observer):
    seconds: float = 0.0

    def epoch_done(self, record: Mapping[str, Any]) -> None:
        self.seconds = float(record["seconds"])


def _steps(model: Recommender | NaiveAlignRec, setting: Setting, fused: bool | None) -> Callable[[], Answer]:
    optimizer = torch.optim.Adam(trained(model), lr=1e-3, fused=fused)
    batches = cycle([batch for batch in first_batches(setting) if len(batch.users) == setting.batch])

    def steps() -> None:
        for batch in islice(batches, setting.steps):
            step(model, optimizer, model.loss(batch))

    return lambda: float(_timed(steps)) / setting.steps


def _timed(call: Callable[[], object]) -> float:
    clock = time.process_time if os.environ.get(CLOCK) == "cpu" else time.perf_counter
    started = clock()
    call()
    return clock() - started


if __name__ == "__main__":
    typer.run(main)
