"""Contestants that train: steps, epochs, sampling; the package's, naive ones, PyG's LightGCN."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from harness.contestant import (
    Answer,
    Contestant,
    Setting,
    id_model,
    our_model,
    repeated_steps,
    step,
    timed,
    trained,
)
from harness.naive import NaiveEvaluator, NaiveSampler, naive_twin
from harness.shapes import FEATURE
from torch_geometric.nn import LightGCN

from alignrec_geo.dataset.interactions import Split
from alignrec_geo.evaluation import Protocol
from alignrec_geo.graph import to_hetero
from alignrec_geo.kernels.allocator import keep_freed_memory
from alignrec_geo.models import MODELS, AlignRecConfig
from alignrec_geo.observer import Observer
from alignrec_geo.randomness import child_generator
from alignrec_geo.training import TrainingConfig, fit
from alignrec_geo.training.sampling import TripletSampler

LONGEST = 60.0
"""A naive epoch that would take longer is measured on a slice of its steps."""

LIGHTGCN = AlignRecConfig(layers=3, uia_weight=0.0)
"""AlignRec without features and with this is LightGCN: its propagation and BPR; L2 on the final rows, not the first."""

BPR = AlignRecConfig(layers=0, uia_weight=0.0)
"""And this is matrix factorisation with BPR."""

PRODUCT = (4096, 256, 256)
"""Rows, inner width and columns of the contestant that is a matrix product."""


def our_steps(trainable: bool) -> Contestant:
    """Training steps of the package: fused Adam, freed memory kept, as in its training loop."""

    def make(setting: Setting) -> Callable[[], Answer]:
        keep_freed_memory()
        return repeated_steps(our_model(setting.dataset, trainable), setting, fused=True)

    return make


def naive_steps(trainable: bool) -> Contestant:
    """The same steps, naive, with Adam as it comes."""

    def make(setting: Setting) -> Callable[[], Answer]:
        return repeated_steps(naive_twin(our_model(setting.dataset, trainable)), setting, fused=None)

    return make


def model_steps(name: str) -> Contestant:
    """Training steps of a model with its defaults, as in the training loop."""

    def make(setting: Setting) -> Callable[[], Answer]:
        keep_freed_memory()
        kind = MODELS[name]
        model = kind(to_hetero(setting.dataset), [FEATURE] if kind.uses_features else [])
        model.start_epoch(1, child_generator(0, "model"))
        return repeated_steps(model, setting, fused=True)

    return make


def product(setting: Setting) -> Callable[[], Answer]:
    """Matrix products of the shape :data:`PRODUCT`."""
    rows, inner, columns = PRODUCT
    a, b, out = torch.randn(rows, inner), torch.randn(inner, columns), torch.empty(rows, columns)

    def products() -> None:
        for _ in range(setting.steps):
            torch.mm(a, b, out=out)

    return lambda: timed(products) / setting.steps


def our_epoch(trainable: bool) -> Contestant:
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


def naive_epoch(trainable: bool) -> Contestant:
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
    return lambda: timed(lambda: list(sampler.epoch(generator)))


def naive_sampling(setting: Setting) -> Callable[[], Answer]:
    """The triplets of an epoch, drawn one by one."""
    sampler = NaiveSampler(setting.dataset.interactions, setting.batch)
    return lambda: timed(lambda: list(sampler.epoch()))


def our_id_epoch(config: AlignRecConfig) -> Contestant:
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

        return lambda: timed(epoch)

    return make


def pyg_lightgcn_epoch(setting: Setting) -> Callable[[], Answer]:
    """A training epoch of PyG's ``LightGCN`` in the manner of its example: 3 layers, message passing on edge_index."""
    train = setting.dataset.interactions.of(Split.TRAIN)
    n_users, n_items = train.n_users, train.n_items
    pairs = torch.stack([torch.from_numpy(train.user), torch.from_numpy(train.item) + n_users])
    edge_index = torch.cat([pairs, pairs.flip(0)], dim=1)
    model = LightGCN(n_users + n_items, embedding_dim=64, num_layers=3)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    every_pair: Any = range(pairs.shape[1])
    loader: Iterable[torch.Tensor] = torch.utils.data.DataLoader(every_pair, shuffle=True, batch_size=setting.batch)

    def epoch() -> None:
        for rows in loader:
            positive = pairs[:, rows]
            negative = torch.stack([positive[0], torch.randint(n_users, n_users + n_items, (len(rows),))])
            both = torch.cat([positive, negative], dim=1)
            optimizer.zero_grad()
            ranks = model(edge_index, both).chunk(2)
            model.recommendation_loss(*ranks, node_id=both.unique()).backward()
            optimizer.step()

    return lambda: timed(epoch)


class _Clock(Observer):
    seconds: float = 0.0

    def epoch_done(self, record: Mapping[str, Any]) -> None:
        self.seconds = float(record["seconds"])
