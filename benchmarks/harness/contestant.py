"""What every contestant of a benchmark is made of: what it is told, the models, a step, the clock."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

import torch
from harness.naive import NaiveAlignRec

from alignrec_geo.dataset import Dataset
from alignrec_geo.graph import to_hetero
from alignrec_geo.models import AlignRec, AlignRecConfig, Batch, Recommender
from alignrec_geo.randomness import child_generator
from alignrec_geo.training.sampling import TripletSampler

CLOCK = "ALIGNREC_BENCHMARK_CLOCK"
"""Environment variable: ``cpu`` measures seconds of the processor, for a machine that others use meanwhile."""


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
Contestant = Callable[[Setting], Callable[[], Answer]]
"""Prepares what takes turns; what it returns is one round."""


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


def repeated_steps(model: Recommender | NaiveAlignRec, setting: Setting, fused: bool | None) -> Callable[[], Answer]:
    """Training steps on the batches of an epoch, again and again."""
    optimizer = torch.optim.Adam(trained(model), lr=1e-3, fused=fused)
    batches = cycle([batch for batch in first_batches(setting) if len(batch.users) == setting.batch])

    def steps() -> None:
        for batch in islice(batches, setting.steps):
            step(model, optimizer, model.loss(batch))

    return lambda: float(timed(steps)) / setting.steps


def timed(call: Callable[[], object]) -> float:
    """Seconds of a call, by the clock that :data:`CLOCK` names."""
    clock = time.process_time if os.environ.get(CLOCK) == "cpu" else time.perf_counter
    started = clock()
    call()
    return clock() - started
