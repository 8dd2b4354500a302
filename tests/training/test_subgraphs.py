"""Sampled training. What draws neighbours needs pyg-lib or torch-sparse; `make test-ext` has torch-sparse."""

import pytest
import torch
import torch_geometric

from alignrec_geo import to_hetero
from alignrec_geo.dataset import Split
from alignrec_geo.errors import InputError
from alignrec_geo.evaluation import Evaluator
from alignrec_geo.graph.hetero import INTERACTS, REVERSE, SIMILAR, relation_graph
from alignrec_geo.kernels.spmm import mean_propagation
from alignrec_geo.kernels.triplet_loss import triplet_loss
from alignrec_geo.models import AlignRec, AlignRecConfig
from alignrec_geo.models.on_subgraph import on_subgraph
from alignrec_geo.nn.conv import CONVS
from alignrec_geo.nn.hetero_encoder import HeteroEncoder
from alignrec_geo.nn.losses import BPR, L2
from alignrec_geo.testing import checkerboard, ring
from alignrec_geo.training import subgraphs
from alignrec_geo.training.sampling import TripletSampler
from alignrec_geo.training.subgraphs import SubgraphSampler, sampling_package

needs_sampling = pytest.mark.skipif(sampling_package() is None, reason="needs pyg-lib or torch-sparse")


def sampler(num_neighbors, workers=0, batch_size=8):
    data = ring()
    return SubgraphSampler(
        to_hetero(data, k=4, cache=False), TripletSampler(data.interactions, batch_size), num_neighbors, workers
    )


def draw(seed=0):
    return torch.Generator().manual_seed(seed)


def test_without_a_package_the_message_names_what_to_install(monkeypatch):
    monkeypatch.setattr(subgraphs, "sampling_package", lambda: None)
    with pytest.raises(InputError, match=r"needs pyg-lib or torch-sparse.*alignrec-geo\[pyg-ext\]"):
        sampler([-1])


@pytest.mark.parametrize(
    ("pyg_lib", "torch_sparse", "expected"),
    [(True, True, "pyg-lib"), (True, False, "pyg-lib"), (False, True, "torch-sparse"), (False, False, None)],
)
def test_which_package_samples(monkeypatch, pyg_lib, torch_sparse, expected):
    monkeypatch.setattr(torch_geometric.typing, "WITH_PYG_LIB", pyg_lib)
    monkeypatch.setattr(torch_geometric.typing, "WITH_TORCH_SPARSE", torch_sparse)
    assert sampling_package() == expected


@pytest.mark.parametrize("num_neighbors", [[], [0], [5, -2]])
def test_impossible_numbers_of_neighbours(monkeypatch, num_neighbors):
    monkeypatch.setattr(subgraphs, "sampling_package", lambda: "pyg-lib")  # nothing is sampled here
    with pytest.raises(InputError, match="num_neighbors must hold -1"):
        sampler(num_neighbors)


def test_drawn_edges_stand_for_those_that_were_not():
    part = to_hetero(ring(), k=None, cache=False)
    for edge_type in (INTERACTS, REVERSE):
        part[edge_type].edge_index = torch.tensor([[0, 1, 2], [4, 4, 5]])
        part[edge_type].edge_weight = torch.tensor([1.0, 2.0, 3.0])
        part[edge_type].degree = torch.tensor([6, 6, 1])  # two of the six edges into 4, the one into 5
    part[REVERSE].edge_index, part[REVERSE].edge_weight = torch.empty(2, 0, dtype=torch.long), torch.empty(0)
    part = subgraphs._rescale(part)
    assert part[INTERACTS].edge_weight.tolist() == [3.0, 6.0, 3.0]
    assert part[REVERSE].edge_weight.tolist() == []


def test_both_directions_are_needed(monkeypatch):
    monkeypatch.setattr(subgraphs, "sampling_package", lambda: "pyg-lib")
    data = ring()
    graph = to_hetero(data, k=None)
    del graph[REVERSE]
    with pytest.raises(InputError, match="no edge type 'item__rev_interacts__user'"):
        SubgraphSampler(graph, TripletSampler(data.interactions, 8), [-1])


@needs_sampling
@pytest.mark.parametrize("workers", [0, 2])
def test_triplets_are_those_of_the_triplet_sampler(workers):
    parts = sampler([2, 2], workers, batch_size=100)
    assert parts.steps == 12
    whole = list(parts.triplets.epoch(draw()))
    sampled = list(parts.epoch(draw()))
    for (part, batch), expected in zip(sampled, whole, strict=True):
        assert torch.equal(part["user"].n_id[batch.users], expected.users)
        assert torch.equal(part["item"].n_id[batch.positives], expected.positives)
        assert torch.equal(part["item"].n_id[batch.negatives], expected.negatives)
        assert batch.nominal_size == 100
    assert len(sampled[-1][1].users) == 1200 - 11 * 100


@needs_sampling
@pytest.mark.parametrize("workers", [0, 2])
def test_draws_repeat_with_the_generator_and_leave_the_global_one_alone(workers):
    parts = sampler([1, 1], workers, batch_size=300)
    before = torch.random.get_rng_state()
    first, second, other = ([part[REVERSE].e_id for part, _ in parts.epoch(draw(seed))] for seed in (0, 0, 1))
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(one, same) for one, same in zip(first, second, strict=True))
    assert not all(torch.equal(one, new) for one, new in zip(first, other, strict=True))


@needs_sampling
def test_with_all_neighbours_the_loss_and_its_gradients_are_those_of_the_whole_graph():
    parts = sampler([-1, -1])
    model = AlignRec(to_hetero(ring(), k=4, cache=False))
    assert_same(model, parts, most_nodes=250)


# layers that go two steps need twice the hops; SGConv looks at the degrees of the nodes that it gathers from
HOPS = {"appnp": 4, "sg": 3}


@needs_sampling
@pytest.mark.parametrize("name", CONVS)
def test_the_same_with_any_layer_in_every_place(name):
    parts = sampler([-1] * HOPS.get(name, 2))
    data = to_hetero(ring(), k=4, cache=False)
    model = AlignRec(data, user_item_conv=name, item_item_conv=name, user_conv=name, fusion="gate")
    assert_same(model, parts, most_nodes=399)


@needs_sampling
def test_the_same_with_a_layer_per_edge_type():
    model = AlignRec(to_hetero(ring(), k=4, cache=False), user_item_conv={INTERACTS: "sage", REVERSE: "gatv2"})
    assert_same(model, sampler([-1, -1]), most_nodes=250)


def assert_same(model, parts, most_nodes):
    expected = next(iter(parts.triplets.epoch(draw())))
    part, batch = next(iter(parts.epoch(draw())))
    assert part["user"].num_nodes <= most_nodes < model.n_users
    results = []
    for one, triplets in ((model, expected), (on_subgraph(model, part), batch)):
        model.zero_grad()
        terms = one.loss(triplets)
        sum(terms.values()).backward()
        results.append((terms, {name: parameter.grad.clone() for name, parameter in model.named_parameters()}))
    (whole, gradients), (sampled, sampled_gradients) = results
    assert set(whole) == {"bpr", "l2", "uia", "cca", "reg"}
    for name, term in whole.items():
        torch.testing.assert_close(sampled[name], term, msg=name)
    for name, gradient in gradients.items():
        torch.testing.assert_close(sampled_gradients[name], gradient, rtol=1e-3, atol=1e-6, msg=name)


@needs_sampling
def test_a_lightgcn_of_ones_own_on_edge_lists():
    parts = sampler([-1, -1])
    tables = {"user": torch.randn(400, 6, generator=draw()), "item": torch.randn(400, 6, generator=draw(1))}
    pairs, n_users = to_hetero(ring(), k=None)[INTERACTS].edge_index, 400
    encoder = HeteroEncoder({INTERACTS: "light", REVERSE: "light"}, width=6, layers=2)
    whole = mean_propagation(
        AlignRec(to_hetero(ring(), k=None), []).user_item_graph, torch.cat(list(tables.values())), 2
    )
    assert pairs.shape[1] == 1200
    part, batch = next(iter(parts.epoch(draw())))
    rows = {kind: table[part[kind].n_id] for kind, table in tables.items()}
    reached = encoder(rows, part.edge_index_dict, part.edge_weight_dict)
    triplet = reached["user"][batch.users], reached["item"][batch.positives], reached["item"][batch.negatives]
    same = next(iter(parts.triplets.epoch(draw())))
    expected = whole[same.users], whole[same.positives + n_users], whole[same.negatives + n_users]
    torch.testing.assert_close(triplet_loss(*triplet, 8).bpr, triplet_loss(*expected, 8).bpr)


@needs_sampling
def test_the_drawn_neighbours_stand_for_all():
    """One hop with one of three neighbours: the mean over many draws is the sum over the whole neighbourhood."""
    data = ring(20)
    graph = to_hetero(data, k=4, cache=False)
    parts = SubgraphSampler(graph, TripletSampler(data.interactions, 60), [1])
    x = torch.randn(20, 2, generator=draw())
    total, times, generator = torch.zeros(20, 2), torch.zeros(20), draw()
    for _ in range(400):
        part, _ = next(iter(parts.epoch(generator)))
        source, target = part[REVERSE].edge_index
        assert torch.bincount(target).max() == 1
        messages = part[REVERSE].edge_weight[:, None] * x[part["item"].n_id[source]]
        total.index_add_(0, part["user"].n_id[target], messages)
        times.index_add_(0, part["user"].n_id[target], torch.ones(len(target)))
    expected = relation_graph(graph, REVERSE).matrix.to_dense() @ x
    assert (total / times[:, None] - expected).abs().max() < 0.25  # without the shuffling 0.98
    assert expected.abs().max() > 1.0


@needs_sampling
def test_every_edge_type_is_sampled_and_weighted():
    data = ring()
    graph = to_hetero(data, k=4, cache=False)
    graph["brand"].num_nodes = 5
    items = torch.arange(400)
    graph["item", "made_by", "brand"].edge_index = torch.stack([items, items % 5])
    graph["brand", "makes", "item"].edge_index = torch.stack([items % 5, items])
    model = AlignRec(
        graph,
        user_item_conv={
            INTERACTS: "light",
            REVERSE: "light",
            ("brand", "makes", "item"): "sage",
            ("item", "made_by", "brand"): "gcn",
        },
    )
    parts = SubgraphSampler(graph, TripletSampler(data.interactions, 8), [-1, -1])
    expected = next(iter(parts.triplets.epoch(draw())))
    part, batch = next(iter(parts.epoch(draw())))
    assert part["brand"].num_nodes == 5
    terms, sampled = model.loss(expected), on_subgraph(model, part).loss(batch)
    for name, term in terms.items():
        torch.testing.assert_close(sampled[name], term, msg=name)


@needs_sampling
def test_the_whole_graph_has_the_form_of_a_subgraph():
    parts = sampler([2, 2])
    model = AlignRec(to_hetero(ring(), k=4, cache=False))
    edges = parts.graph[REVERSE].edge_index.clone()
    next(iter(parts.epoch(draw())))
    assert torch.equal(parts.graph[REVERSE].edge_index, edges)
    for table, expected in zip(on_subgraph(model, parts.graph).encode(), model.encode(), strict=True):
        torch.testing.assert_close(table, expected)


@needs_sampling
def test_an_edge_type_without_edges_and_nodes_without_edges():
    data = ring()
    graph = to_hetero(data, k=4, cache=False)
    graph["user", "follows", "user"].edge_index = torch.empty(2, 0, dtype=torch.long)
    graph["brand"].num_nodes = 3
    parts = SubgraphSampler(graph, TripletSampler(data.interactions, 8), [2, 2])
    part, batch = next(iter(parts.epoch(draw())))
    assert part["user", "follows", "user"].num_edges == 0
    assert all("degree" not in store for store in part.edge_stores)
    assert all(term.isfinite() for term in on_subgraph(AlignRec(graph), part).loss(batch).values())


@needs_sampling
def test_too_few_hops():
    part, _ = next(iter(sampler([-1]).epoch(draw())))
    graph = to_hetero(ring(), k=4, cache=False)
    with pytest.raises(InputError, match=r"reach 2 hops far; give num_neighbors for each \(got 1\)"):
        on_subgraph(AlignRec(graph), part)
    one = AlignRecConfig(layers=1, item_layers=0)
    assert "bpr" in on_subgraph(AlignRec(graph, config=one), part).loss(next(iter(sampler([-1]).epoch(draw())))[1])
    assert SIMILAR in part.edge_types


@needs_sampling
def test_sampled_training_learns_the_checkerboard():
    data = checkerboard()
    graph = to_hetero(data)
    model = AlignRec(graph, losses=[BPR(), L2(1e-4)], config=AlignRecConfig(dim=16))
    parts = SubgraphSampler(graph, TripletSampler(data.interactions, 256), [5, 5])
    optimizer, generator, losses = torch.optim.Adam(model.parameters(), lr=0.02), draw(), []
    for _ in range(25):
        losses.append(0.0)
        for part, batch in parts.epoch(generator):
            loss = sum(on_subgraph(model, part).loss(batch).values())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses[-1] += float(loss.detach()) / parts.steps
    assert sum(losses[-5:]) < 0.2 * sum(losses[:5])
    recall = Evaluator(data.interactions, Split.TEST)(model.embeddings()).metrics["recall@5"]
    assert recall > 0.9  # chance: 5 of the 26 items a user has not seen
