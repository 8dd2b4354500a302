"""Steps on graphs of 10 and 100 million edges."""

from typing import Any

import numpy as np
import torch
from harness.shapes import Shape, graph_with_drawn_neighbours, power_law
from numpy.typing import NDArray

from alignrec_geo.dataset.interactions import Interactions, Split
from alignrec_geo.models import MODELS, AlignRec, AlignRecConfig, Recommender
from gpu_sections.clock import Clock, in_turn, peak_gb, reset_peak
from gpu_sections.setting import Emit, Setting, Turn, draw_batches
from gpu_sections.steppers import stepper
from gpu_sections.steps import BATCHES, one_line

WIDTH = 64


def ten_million(setting: Setting, turn: Turn, emit: Emit) -> None:
    """LightGCN and AlignRec on 10 million training pairs."""
    _steps(setting, turn, emit, 20_000 if setting.quick else 10_000_000)


def hundred_million(setting: Setting, turn: Turn, emit: Emit) -> None:
    """LightGCN and AlignRec on 100 million training pairs, if the GPU's memory allows."""
    _steps(setting, turn, emit, 40_000 if setting.quick else 100_000_000)


def _steps(setting: Setting, turn: Turn, emit: Emit, edges: int) -> None:
    pairs = quick_pairs(power_law(edges, WIDTH), setting.seed)
    graph = graph_with_drawn_neighbours(pairs, WIDTH, seed=setting.seed)
    batches = draw_batches(pairs, setting.batch, BATCHES, "cpu", setting.seed)
    lightgcn: Any = MODELS["lightgcn"]
    makers = {
        "lightgcn": lambda: lightgcn(graph, [], None, setting.seed),
        "alignrec, frozen features": lambda: AlignRec(
            graph, config=AlignRecConfig(train_features=False), seed=setting.seed
        ),
    }
    ready = False
    for name, make in makers.items():
        model: Recommender = make()
        if not ready:
            turn()
            ready, batches = True, [batch.to(torch.device(setting.device)) for batch in batches]
        row: dict[str, Any] = {"what": name, "edges": len(pairs), "users": pairs.n_users, "items": pairs.n_items}
        try:
            reset_peak(setting.device)
            call = in_turn(stepper(model, setting, setting.on_gpu, batches[0]), batches)
            times = Clock(setting.device).compare({"captured" if setting.on_gpu else "eager": call}, 3)
            seconds = {key: timing.as_json() for key, timing in times.items()}
            emit({**row, "seconds": seconds, "peak_gb": peak_gb(setting.device)})
        except Exception as error:
            emit({**row, "failed": one_line(error)})
        del model


def quick_pairs(shape: Shape, seed: int) -> Interactions:
    """Training pairs of a power-law graph, about ``shape.pairs`` of them, in seconds instead of minutes.

    Unlike ``shapes.make_interactions`` pairs that were drawn twice are dropped, not drawn again, and all are training
    pairs.
    """
    rng = np.random.default_rng([seed, shape.users, shape.items, shape.pairs])
    user = _drawn(shape.users, shape.pairs, -0.5, rng)
    item = _drawn(shape.items, shape.pairs, -0.8, rng)
    key = np.unique(user * shape.items + item)
    split = np.full(len(key), Split.TRAIN, dtype=np.int8)
    return Interactions(key // shape.items, key % shape.items, split, shape.users, shape.items)


def _drawn(count: int, draws: int, exponent: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Numbers below ``count`` in a random order of popularity ``(rank + 10)^exponent``, by the inverse distribution."""
    power = exponent + 1.0
    low, high = 10.0**power, (count + 10.0) ** power
    rank = (low + (high - low) * rng.random(draws)) ** (1.0 / power) - 10.0
    return rng.permutation(count)[np.clip(rank.astype(np.int64), 0, count - 1)]
