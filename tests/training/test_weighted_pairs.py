"""Weights of pairs: stored with them, added up, carried into the graph, and drawn by."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from alignrec_geo import Dataset, to_hetero
from alignrec_geo.dataset.describe import describe
from alignrec_geo.errors import InputError
from alignrec_geo.graph.adjacency import bipartite_adjacency, normalised_weight, symmetric_adjacency
from alignrec_geo.models import LightGCN
from alignrec_geo.training.sampling import TripletSampler

PLAYS = pl.DataFrame(
    {
        "user": ["ann", "ann", "bob", "bob", "cid", "ann", "ann"],
        "item": ["mug", "pen", "mug", "cup", "pen", "mug", "mug"],
        "part": ["train", "train", "train", "train", "train", "train", "test"],
        "plays": [1, 2, 3, 4, 5, 6, 100],
    }
)


@pytest.fixture(scope="module")
def plays() -> Dataset:
    return Dataset.from_frame(PLAYS, split="part", weight="plays")


def test_weights_of_duplicates_of_one_split_are_added_up(plays: Dataset) -> None:
    assert plays.interactions.weight is not None
    assert plays.interactions.weight.tolist() == [7, 2, 3, 4, 5]  # the held-out hundred adds nothing to training
    assert plays.notes == ["2 duplicate rows of a user-item pair were merged and their weights added up"]


def test_weights_are_stored_and_tell_data_sets_apart(plays: Dataset, tmp_path: Path) -> None:
    stored = plays.save(tmp_path / "d")
    assert stored.interactions.weight is not None
    assert stored.interactions.weight.tolist() == [7, 2, 3, 4, 5]
    assert stored.fingerprint() == plays.fingerprint()
    without = replace(plays, interactions=replace(plays.interactions, weight=None))
    doubled = replace(plays, interactions=replace(plays.interactions, weight=2 * plays.interactions.weight))
    assert len({data.fingerprint() for data in (plays, without, doubled)}) == 3
    with pytest.raises(InputError, match=r"weight of pair 1 \(counted from 0\) must be above 0"):
        replace(plays.interactions, weight=np.float32([1, 0, 1, 1, 1]))


def test_weights_are_described(plays: Dataset) -> None:
    assert describe(plays).weights == {"min": 2, "median": 4, "max": 7}
    assert describe(Dataset.from_frame(PLAYS, split="part")).weights is None


def test_graph_with_weights_equals_the_formula_and_comes_back(plays: Dataset) -> None:
    graph = to_hetero(plays, k=None)
    edges, weight = graph["user", "interacts", "item"].edge_index, graph["user", "interacts", "item"].edge_weight
    dense = torch.zeros(3, 3).index_put((edges[0], edges[1]), torch.tensor([7.0, 2, 3, 4, 5]))
    wanted = dense / dense.sum(1, keepdim=True).sqrt() / dense.sum(0, keepdim=True).sqrt()
    assert torch.allclose(bipartite_adjacency(edges, 3, 3, weight).matrix.to_dense(), wanted)
    model = LightGCN(graph)
    assert torch.equal(
        model.user_item_graph.matrix.to_dense(), symmetric_adjacency(edges, 3, 3, weight).matrix.to_dense()
    )
    assert Dataset.from_hetero(graph).fingerprint() == plays.fingerprint()


def test_equal_weights_are_no_weights() -> None:
    edges = torch.tensor([[0, 0, 1, 2, 2], [0, 1, 1, 0, 2]])
    weighted = normalised_weight(edges, 3, 3, torch.full((5,), 2.5))
    assert torch.allclose(
        bipartite_adjacency(edges, 3, 3, weighted).matrix.to_dense(), bipartite_adjacency(edges, 3, 3).matrix.to_dense()
    )


def test_pairs_are_drawn_in_proportion_to_their_weights(plays: Dataset) -> None:
    sampler = TripletSampler(plays.interactions, batch_size=2)
    generator, counts = torch.Generator().manual_seed(0), torch.zeros(3, 3)
    epochs = 800
    for _ in range(epochs):
        drawn = 0
        for batch in sampler.epoch(generator):
            counts.index_put_((batch.users, batch.positives), torch.ones(len(batch.users)), accumulate=True)
            drawn += len(batch.users)
        assert drawn == 5
    share = counts / counts.sum()
    wanted = torch.zeros(3, 3)
    train = plays.interactions.of(0)  # type: ignore[arg-type]
    wanted[train.user, train.item] = torch.from_numpy(train.weight) / 21
    spread = (wanted * (1 - wanted) / (5 * epochs)).sqrt()
    assert ((share - wanted).abs() <= 5 * spread).all()
