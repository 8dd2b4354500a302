"""The rates of this machine's CPU, measured in a few seconds."""

import time
from collections.abc import Callable

import numpy as np
import torch

from alignrec_geo.dataset.interactions import Interactions
from alignrec_geo.graph.adjacency import symmetric_adjacency
from alignrec_geo.kernels.allocator import keep_freed_memory
from alignrec_geo.kernels.spmm import mean_propagation
from alignrec_geo.kernels.topk import blocked_top_k
from alignrec_geo.machine import machine
from alignrec_geo.models.size import available_memory
from alignrec_geo.planning.rates import Rates
from alignrec_geo.planning.work import ENTRY, FLOAT
from alignrec_geo.training.sampling import TripletSampler

USERS, ITEMS, EDGES, DIM, LAYERS = 160_000, 60_000, 1_000_000, 64, 2
"""A graph whose table (56 MB) is larger than what a core has of the caches."""
NUMBERS = 1 << 26
"""Of a copy, 268 MB."""
RANKED, ROUNDS = 512, 3


def measured_here() -> Rates:
    """Measure the CPU with the threads that torch has.

    Processor time, divided by the threads, is taken and not the clock's: what others do meanwhile is not counted.

    Example:
        >>> measured_here().copy_gb_s > 0  # doctest: +SKIP
        True
    """
    keep_freed_memory()
    threads, generator = torch.get_num_threads(), torch.Generator().manual_seed(0)
    there = available_memory()
    about = machine(threads)
    pairs = _pairs()
    sampler = TripletSampler(pairs, 1 << 17)
    next(sampler.epoch(generator))  # its tables are made
    drawing = _seconds(lambda: sum(1 for _ in sampler.epoch(generator)))
    copied, ranked = _copy(), _ranking(generator)
    return Rates(
        name=f"{about['cpu']}, {threads} thread{'s' if threads > 1 else ''}",
        memory_gb=0.0 if there is None else there / 1e9,
        copy_gb_s=copied,
        product_gb_s=_products(pairs, generator),
        gemm_gflop_s=_gemm(generator),
        rank_gflop_s=ranked,
        pairs_per_s=EDGES / drawing,
        step_seconds=0.002,
        link_gb_s=0.0,
        source=f"measured here, {about['date']}",
    )


def _pairs() -> Interactions:
    """Unique pairs, items by a power law."""
    rng = np.random.default_rng(0)
    popularity = ((np.arange(ITEMS) + 10.0) ** -0.8).cumsum()
    item = rng.permutation(ITEMS)[np.searchsorted(popularity / popularity[-1], rng.random(EDGES + EDGES // 20))]
    key = np.unique(rng.integers(0, USERS, len(item)) * ITEMS + item)
    key = rng.permutation(key)[:EDGES]
    return Interactions(key // ITEMS, key % ITEMS, np.zeros(len(key), dtype=np.int8), USERS, ITEMS)


def _products(pairs: Interactions, generator: torch.Generator) -> float:
    edges = torch.stack([torch.from_numpy(pairs.user), torch.from_numpy(pairs.item)])
    graph = symmetric_adjacency(edges, USERS, ITEMS)
    x = torch.rand(USERS + ITEMS, DIM, generator=generator)
    seconds = _seconds(lambda: mean_propagation(graph, x, LAYERS))
    streamed = (3 + 2 * LAYERS) * x.numel() * FLOAT / 1e9 / _copy()  # scaled, and added to by every product
    return LAYERS * graph.nnz * (ENTRY + DIM * FLOAT) / 1e9 / max(seconds - streamed, seconds / 4)


def _copy() -> float:
    source, target = torch.ones(NUMBERS), torch.empty(NUMBERS)
    return 2 * NUMBERS * FLOAT / 1e9 / _seconds(lambda: target.copy_(source))


def _gemm(generator: torch.Generator) -> float:
    a, b = (torch.rand(2048, 1024, generator=generator) for _ in range(2))
    return 2 * 2048 * 2048 * 1024 / 1e9 / _seconds(lambda: a @ b.T)


def _ranking(generator: torch.Generator) -> float:
    users, items = torch.rand(RANKED, DIM, generator=generator), torch.rand(ITEMS, DIM, generator=generator)
    seconds = _seconds(lambda: sum(1 for _ in blocked_top_k(users, items, torch.arange(RANKED), 50)))
    return 2 * RANKED * ITEMS * DIM / 1e9 / seconds


def _seconds(call: Callable[[], object]) -> float:
    """The least of a few rounds after one that is not counted."""
    call()
    taken = []
    for _ in range(ROUNDS):
        started = time.process_time()
        call()
        taken.append((time.process_time() - started) / torch.get_num_threads())
    return max(min(taken), 1e-9)
