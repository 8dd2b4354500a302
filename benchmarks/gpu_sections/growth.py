"""Steps on graphs of 10 and 100 million training pairs, drawn and compressed on the device."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from harness.shapes import Shape, graph_with_drawn_neighbours, make_interactions, power_law
from torch import Tensor
from torch_geometric.data import HeteroData

from alignrec_geo.graph.adjacency import bipartite_adjacency, symmetric_adjacency
from alignrec_geo.models import MODELS, AlignRec, AlignRecConfig, Batch, Recommender
from gpu_sections.clock import Clock, in_turn, peak_gb, reset_peak
from gpu_sections.setting import Emit, Setting, Turn
from gpu_sections.steppers import stepper
from gpu_sections.steps import BATCHES, one_line

WIDTH = 64
GRAPHS: dict[str, Callable[[Tensor, int, int], Any]] = {
    "user_item_graph": symmetric_adjacency,
    "item_to_user": bipartite_adjacency,
}
"""The graphs of models that are made of all training pairs."""


def ten_million(setting: Setting, turn: Turn, emit: Emit) -> None:
    """LightGCN and AlignRec on 10 million training pairs."""
    _steps(setting, turn, emit, 20_000 if setting.quick else 10_000_000)


def hundred_million(setting: Setting, turn: Turn, emit: Emit) -> None:
    """LightGCN and AlignRec on 100 million training pairs, if the GPU's memory allows."""
    _steps(setting, turn, emit, 40_000 if setting.quick else 100_000_000)


def _steps(setting: Setting, turn: Turn, emit: Emit, pairs: int) -> None:
    shape = power_law(pairs, WIDTH)
    graph = _small_graph(shape, setting.seed)
    lightgcn: Any = MODELS["lightgcn"]
    frozen = AlignRecConfig(train_features=False)
    makers: dict[str, Callable[[], Recommender]] = {
        "lightgcn": lambda: lightgcn(graph, [], None, setting.seed),
        "alignrec, frozen features": lambda: AlignRec(graph, config=frozen, seed=setting.seed),
    }
    edges: Tensor | None = None
    for name, make in makers.items():
        model = make()
        if edges is None:
            turn()
            edges = drawn_pairs(shape, setting.device, setting.seed)
        row: dict[str, Any] = {"what": name, "edges": edges.shape[1], "users": shape.users, "items": shape.items}
        try:
            reset_peak(setting.device)
            model.to(setting.device)
            for attribute, compress in GRAPHS.items():
                if hasattr(model, attribute):
                    setattr(model, attribute, compress(edges, shape.users, shape.items))
            batches = _batches(edges, shape.items, setting)
            reset_peak(setting.device)
            call = in_turn(stepper(model, setting, setting.on_gpu, batches[0]), batches)
            times = Clock(setting.device).compare({"captured" if setting.on_gpu else "eager": call}, 3)
            seconds = {key: timing.as_json() for key, timing in times.items()}
            emit({**row, "seconds": seconds, "peak_gb": peak_gb(setting.device)})
            del call
        except Exception as error:
            emit({**row, "failed": one_line(error)})
        del model


def drawn_pairs(shape: Shape, device: str, seed: int) -> Tensor:
    """About ``shape.pairs`` unique pairs of a power-law graph, ``[2, E]``; those drawn twice are dropped."""
    generator = torch.Generator(device).manual_seed(seed)
    user = _drawn(shape.users, shape.pairs, -0.5, generator)
    item = _drawn(shape.items, shape.pairs, -0.8, generator)
    key = torch.unique(user * shape.items + item)
    return torch.stack([torch.div(key, shape.items, rounding_mode="floor"), key % shape.items])


def _drawn(count: int, draws: int, exponent: float, generator: torch.Generator) -> Tensor:
    """Numbers below ``count`` in a random order of popularity ``(rank + 10)^exponent``, by the inverse distribution."""
    power = exponent + 1.0
    low, high = 10.0**power, (count + 10.0) ** power
    chance = torch.rand(draws, generator=generator, device=generator.device, dtype=torch.float64)
    rank = (low + (high - low) * chance).pow_(1.0 / power).sub_(10.0).long().clamp_(0, count - 1)
    return torch.randperm(count, generator=generator, device=generator.device)[rank]


def _small_graph(shape: Shape, seed: int) -> HeteroData:
    """A graph with all users and items but few pairs: models are made of it and get the large ones on the device."""
    few = make_interactions(Shape("few", 400, 150, 2_400, WIDTH), seed)
    return graph_with_drawn_neighbours(replace(few, n_users=shape.users, n_items=shape.items), WIDTH, seed=seed)


def _batches(edges: Tensor, n_items: int, setting: Setting) -> list[Batch]:
    generator = torch.Generator(setting.device).manual_seed(setting.seed)
    batches = []
    for _ in range(BATCHES):
        rows = torch.randint(edges.shape[1], (setting.batch,), generator=generator, device=setting.device)
        negatives = torch.randint(n_items, (setting.batch,), generator=generator, device=setting.device)
        batches.append(Batch(edges[0, rows], edges[1, rows], negatives, setting.batch))
    return batches
