"""The data the benchmarks run on: real pairs where a folder is given, else a seeded power-law graph."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch_geometric.data import HeteroData

from alignrec_geo.dataset import Dataset, Features
from alignrec_geo.dataset.interactions import Interactions, Split
from alignrec_geo.errors import InputError
from alignrec_geo.graph.checks import INTERACTS
from alignrec_geo.graph.hetero import REVERSE, SIMILAR

FEATURE = "content"
MIN_TRAIN = 3


@dataclass(frozen=True)
class Shape:
    """Size of a problem.

    Args:
        name: what results call it.
        users: number of users ``U``.
        items: number of items ``I``.
        pairs: training pairs ``E``; every user has one validation and one test pair besides.
        width: columns of the feature matrix.
    """

    name: str
    users: int
    items: int
    pairs: int
    width: int = 768


class Shapes(dict[str, Shape]):
    """Shapes by name; another name is bad input."""

    def __missing__(self, name: str) -> Shape:
        raise InputError(f"--shape is one of {', '.join(self)} (got {name!r})")


SHAPES = Shapes(
    {
        "baby": Shape("baby", 19_445, 7_050, 118_551),
        "sports": Shape("sports", 35_598, 18_357, 218_000),
        "electronics": Shape("electronics", 192_403, 63_001, 1_250_000),
        "ml-1m": Shape("ml-1m", 6_040, 3_706, 796_244),
        "quick": Shape("quick", 400, 150, 2_400, width=96),
    }
)


def power_law(edges: int, width: int = 64) -> Shape:
    """A shape of ``edges`` training pairs with Baby's ratio of users and items to pairs."""
    baby = SHAPES["baby"]
    users, items = (max(20, math.ceil(edges * count / baby.pairs)) for count in (baby.users, baby.items))
    return Shape(f"power-law-{edges}", users, items, edges, width)


def make_interactions(shape: Shape, seed: int = 0) -> Interactions:
    """Draw unique pairs: heavy-tailed user degrees of at least 3 training pairs, Zipf-like item popularity.

    Args:
        shape: its users, items and pairs.
        seed: everything follows from it.
    """
    rng = np.random.default_rng([seed, shape.users, shape.items, shape.pairs])
    degree = _user_degrees(shape, rng)
    user = np.repeat(np.arange(shape.users), degree)
    popularity = (np.arange(shape.items) + 10.0) ** -0.8
    item = _unique_items(user, rng.permutation(popularity), rng)
    order = rng.permutation(len(user))
    user, item = user[order], item[order]
    by_user = np.argsort(user, kind="stable")
    from_end = np.empty(len(user), dtype=np.int64)
    from_end[by_user] = np.repeat(degree.cumsum(), degree) - 1 - np.arange(len(user))
    split = np.select([from_end == 0, from_end == 1], [Split.TEST, Split.VALIDATION], Split.TRAIN).astype(np.int8)
    return Interactions(user, item, split, shape.users, shape.items)


def make_dataset(shape: Shape, path: Path | None = None, seed: int = 0) -> Dataset:
    """Return a data set in memory with one random feature matrix.

    Args:
        shape: users, items, pairs and feature width.
        path: an imported data set folder: its pairs are used instead, with ``shape.width`` random columns per item.
        seed: of the pairs and the features.
    """
    pairs = make_interactions(shape, seed) if path is None else Dataset.open(path).interactions
    rng = np.random.default_rng([seed, 1])
    matrix = rng.standard_normal((pairs.n_items, shape.width), dtype=np.float32)
    nothing = pl.lit(None, dtype=pl.String)
    items = pl.DataFrame({"id": [f"i{row}" for row in range(pairs.n_items)]})
    return Dataset(
        name=shape.name if path is None else path.name,
        interactions=pairs,
        users=pl.DataFrame({"id": [f"u{row}" for row in range(pairs.n_users)]}),
        items=items.with_columns(nothing.alias("title"), nothing.alias("text"), nothing.alias("image")),
    ).with_features(Features(FEATURE, matrix, np.ones(pairs.n_items, dtype=bool)))


def graph_with_drawn_neighbours(pairs: Interactions, width: int, k: int = 10, seed: int = 0) -> HeteroData:
    """Return the graph of ``alignrec_geo.graph.to_hetero`` with random content neighbours.

    For graphs whose exact neighbours would take hours: a step costs the same whichever items the neighbours are.
    """
    rng = np.random.default_rng([seed, 2])
    train = pairs.of(Split.TRAIN)
    data = HeteroData()
    data["user"].num_nodes, data["item"].num_nodes = pairs.n_users, pairs.n_items
    edges = torch.stack([torch.from_numpy(train.user), torch.from_numpy(train.item)])
    data[INTERACTS].edge_index, data[REVERSE].edge_index = edges, edges.flip(0)
    data["item"][f"x_{FEATURE}"] = torch.from_numpy(rng.standard_normal((pairs.n_items, width), dtype=np.float32))
    data["item"][f"has_{FEATURE}"] = torch.ones(pairs.n_items, dtype=torch.bool)
    centre = torch.arange(pairs.n_items).repeat_interleave(k)
    step = torch.from_numpy(rng.integers(1, max(2, pairs.n_items // k), pairs.n_items)).repeat_interleave(k)
    neighbour = (centre + step * (torch.arange(len(centre)) % k)) % pairs.n_items  # itself first, k different ones
    data[SIMILAR].edge_index = torch.stack([neighbour, centre])
    data[SIMILAR].edge_weight = torch.full((len(centre),), 1.0 / k)
    return data


def _user_degrees(shape: Shape, rng: np.random.Generator) -> NDArray[np.int64]:
    least, most = MIN_TRAIN + 2, max(MIN_TRAIN + 2, shape.items // 2)
    spare = shape.pairs - MIN_TRAIN * shape.users
    if spare < 0 or shape.users * (most - least) < spare:
        raise ValueError(f"{shape} cannot hold: every user needs {MIN_TRAIN} training pairs and at most half the items")
    weight = rng.pareto(1.8, shape.users)
    degree: NDArray[np.int64] = np.minimum(least + np.floor(spare * weight / weight.sum()).astype(np.int64), most)
    while (missing := shape.pairs + 2 * shape.users - int(degree.sum())) > 0:
        open_users = np.flatnonzero(degree < most)
        degree[rng.choice(open_users, min(missing, len(open_users)), replace=False)] += 1
    return degree


def _unique_items(
    user: NDArray[np.int64], popularity: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """One item per row so that no pair repeats; what collides too often is drawn uniformly."""
    n_items = len(popularity)
    distribution = (popularity / popularity.sum()).cumsum()
    item = np.minimum(np.searchsorted(distribution, rng.random(len(user))), n_items - 1)
    attempt = 0
    while True:
        _, first = np.unique(user * n_items + item, return_index=True)
        repeated = np.ones(len(user), dtype=bool)
        repeated[first] = False
        count = int(repeated.sum())
        if count == 0:
            return item
        attempt += 1
        item[repeated] = (
            np.minimum(np.searchsorted(distribution, rng.random(count)), n_items - 1)
            if attempt < 5
            else rng.integers(0, n_items, count)
        )
