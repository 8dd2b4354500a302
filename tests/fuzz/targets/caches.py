"""Caches of tokens and of item graphs."""

import os
from pathlib import Path
from random import Random
from typing import Any

import torch

from tests.fuzz.inputs import Input, read_input
from tests.fuzz.target import Target, Wrong

SPEC = ("image", ("abc",), 6)


def cache_seeds(folder: Path) -> list[Input]:
    """A token cache that is whole, and one that is not."""
    seeds = []
    for name, done in (("whole", 6), ("half", 3)):
        with _cache(folder / name) as store:
            for array in store.arrays.values():
                array[:done] = 1
            store.commit(done, {"i1": "broken"})
        seeds.append(read_input(folder / name))
    return seeds


def _cache(folder: Path) -> Any:
    from alignrec_geo.content.tokens.token_cache import ArraySpec, open_token_cache

    kind, key, n = SPEC
    arrays = {"patches": ArraySpec((n, 2, 3), "float16"), "pooled": ArraySpec((n, 4), "float32")}
    return open_token_cache(folder, kind, key, arrays, n)


def read_cache(folder: Path, out: Path, rng: Random) -> None:
    """Go on with a cache; a damaged one is made anew."""
    with _cache(folder) as store:
        for chunk in store.remaining():
            if not (0 <= chunk.start < chunk.stop <= 6):
                raise Wrong(f"items {chunk} of 6 are to be done")
            store.commit(chunk.stop, {})
        if not store.complete or any(len(array) != 6 for array in store.arrays.values()):
            raise Wrong("a cache that is not whole")
        if not all(isinstance(key, str) and isinstance(value, str) for key, value in store.notes.items()):
            raise Wrong(f"notes that are no texts: {store.notes}")


GRAPH = (torch.eye(6)[:, :4] + 0.1, torch.tensor([True] * 5 + [False]), 3)


def graph_seeds(folder: Path) -> list[Input]:
    """A cached item graph, under the name that its content has."""
    from alignrec_geo.graph.item_knn import item_knn

    kept = os.environ.get("ALIGNREC_CACHE")
    os.environ["ALIGNREC_CACHE"] = str(folder / "cache")
    try:
        item_knn(*GRAPH)
    finally:
        if kept is None:
            del os.environ["ALIGNREC_CACHE"]
        else:
            os.environ["ALIGNREC_CACHE"] = kept
    return [read_input(folder / "cache")]


def read_graph(folder: Path, out: Path, rng: Random) -> None:
    """An item graph by way of its cache: one that is damaged is made anew."""
    from alignrec_geo.graph.item_knn import item_knn

    os.environ["ALIGNREC_CACHE"] = str(folder)
    edge_index, weight = item_knn(*GRAPH)
    if edge_index.shape != (2, len(weight)) or edge_index.dtype != torch.int64 or weight.dtype != torch.float32:
        raise Wrong("a graph that is none")
    if len(weight) and not (int(edge_index.min()) >= 0 and int(edge_index.max()) < 6 and weight.isfinite().all()):
        raise Wrong("a graph beyond its nodes")


TARGETS = (
    Target("token-cache", 3_000, cache_seeds, read_cache, noise=".*token cache cannot be written", quick=False),
    Target("graph-cache", 3_000, graph_seeds, read_graph, noise=".*graphs cannot be kept|  edge_index", quick=False),
)
