"""Sampled training where no package draws neighbours: a loader that takes every node stands in for PyG's."""

import copy

import pytest
import torch

from alignrec_geo import to_hetero
from alignrec_geo.errors import InputError
from alignrec_geo.graph.hetero import INTERACTS, REVERSE
from alignrec_geo.models import AlignRec
from alignrec_geo.models.on_subgraph import on_subgraph
from alignrec_geo.testing import ring
from alignrec_geo.training import subgraphs
from alignrec_geo.training.sampling import TripletSampler
from alignrec_geo.training.subgraphs import SubgraphSampler


class EveryNeighbour:
    """All nodes for every batch, each edge drawn once: what ``num_neighbors=[-1, …]`` reaches on a connected graph."""

    def __init__(self, data, num_neighbors, edge_label_index, transform, batch_size, generator, **options):
        assert options == {"is_sorted": True, "num_workers": 0}
        for store in data.edge_stores:
            assert bool((store.edge_index[1].diff() >= 0).all())  # as is_sorted says
        self.data, self.transform = data, transform
        (self.kind, pairs), self.global_draws = edge_label_index, []
        self.pairs = pairs.split(batch_size, dim=1)

    def __iter__(self):
        for pairs in self.pairs:
            self.global_draws.append(float(torch.rand(())))
            part = copy.copy(self.data)
            part[self.kind].edge_label_index = pairs
            yield self.transform(part)


@pytest.fixture
def loaders(monkeypatch):
    """The loaders that were made."""
    made = []
    monkeypatch.setattr(subgraphs, "sampling_package", lambda: "pyg-lib")
    monkeypatch.setattr(
        subgraphs, "LinkNeighborLoader", lambda *a, **o: made.append(EveryNeighbour(*a, **o)) or made[-1]
    )
    return made


@pytest.fixture(scope="module")
def graph():
    return to_hetero(ring(60), k=4, cache=False)


def sampler(graph, batch_size=8):
    return SubgraphSampler(graph, TripletSampler(ring(60).interactions, batch_size), [-1, -1])


def draw(seed=0):
    return torch.Generator().manual_seed(seed)


def test_batches_are_those_of_the_triplet_sampler(loaders, graph):
    parts = sampler(graph, batch_size=50)
    whole, sampled = list(parts.triplets.epoch(draw())), list(parts.epoch(draw()))
    assert parts.steps == len(whole) == len(sampled)
    assert len(whole[-1].users) < 50
    for (_, batch), expected in zip(sampled, whole, strict=True):
        for column, wanted in zip(batch, expected, strict=True):
            assert torch.equal(torch.as_tensor(column), torch.as_tensor(wanted))


def test_global_draws_repeat_with_the_generator_and_leave_no_trace(loaders, graph):
    before = torch.random.get_rng_state()
    for seed in (0, 0, 1):
        list(sampler(graph, batch_size=50).epoch(draw(seed)))
    assert torch.equal(torch.random.get_rng_state(), before)
    first, second, other = (loader.global_draws for loader in loaders)
    assert first == second != other
    assert len(set(first)) == len(first)


def test_all_neighbours_give_the_loss_of_the_whole_graph(loaders, graph):
    parts, model = sampler(graph), AlignRec(graph)
    expected = model.loss(next(iter(parts.triplets.epoch(draw()))))
    part, batch = next(iter(parts.epoch(draw())))
    assert part.hops == 2
    assert all("degree" not in store for store in part.edge_stores)
    sampled = on_subgraph(model, part).loss(batch)
    for name, term in expected.items():
        torch.testing.assert_close(sampled[name], term, msg=name)


def test_edges_are_shuffled_anew_and_the_whole_graph_stays_as_it_is(loaders, graph):
    parts = sampler(graph)
    kept = {kind: parts.graph[kind].edge_index.clone() for kind in (INTERACTS, REVERSE)}
    for seed in (0, 1):
        next(iter(parts.epoch(draw(seed))))
    for kind, edges in kept.items():
        assert torch.equal(parts.graph[kind].edge_index, edges)
        first, second = (loader.data[kind].edge_index for loader in loaders)
        assert torch.equal(first[1], edges[1])
        assert not torch.equal(first[0], second[0])
        assert set(zip(*first.tolist(), strict=True)) == set(zip(*edges.tolist(), strict=True))


@pytest.mark.parametrize(
    ("missing", "message"), [("n_id", "which nodes of type 'item' it has"), ("edge_weight", "has no edge_weight")]
)
def test_a_part_that_lacks_something(loaders, graph, missing, message):
    parts = sampler(graph)
    part, _ = next(iter(parts.epoch(draw())))
    del part["item" if missing == "n_id" else REVERSE][missing]
    with pytest.raises(InputError, match=message):
        on_subgraph(AlignRec(graph), part)
