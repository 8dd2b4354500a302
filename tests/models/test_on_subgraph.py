"""AlignRec on parts made by hand; tests/training/test_subgraphs.py samples them."""

import pytest
import torch
from torch_geometric.data import HeteroData

from alignrec_geo import to_hetero
from alignrec_geo.errors import InputError
from alignrec_geo.graph.hetero import INTERACTS, REVERSE, SIMILAR, relation_graph
from alignrec_geo.models import AlignRec, AlignRecConfig, Batch
from alignrec_geo.models.on_subgraph import on_subgraph
from alignrec_geo.testing import ring

SIZE = 30
BATCH = Batch(torch.arange(12), (torch.arange(12) + 1) % SIZE, (torch.arange(12) * 5 + 8) % SIZE, nominal_size=16)


def graph():
    return to_hetero(ring(SIZE), k=4, cache=False)


def renumbered(data: HeteroData) -> tuple[HeteroData, Batch]:
    """All of the graph under other node numbers, as the sampler would hand it out, and the batch in these numbers."""
    part, new = HeteroData(), {}
    for seed, kind in enumerate(("user", "item")):
        part[kind].n_id = torch.randperm(SIZE, generator=torch.Generator().manual_seed(seed))
        part[kind].num_nodes = SIZE
        new[kind] = part[kind].n_id.argsort()
    for edge_type in data.edge_types:
        (source, target), part[edge_type].edge_weight = relation_graph(data, edge_type).edges()
        part[edge_type].edge_index = torch.stack([new[edge_type[0]][source], new[edge_type[2]][target]])
    part.hops = 2
    items = (new["item"][column] for column in BATCH[1:3])
    return part, Batch(new["user"][BATCH.users], *items, BATCH.nominal_size)


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"config": AlignRecConfig(anchor="current")},
        {"config": AlignRecConfig(train_features=False)},
        {"features": []},
        {"user_item_conv": "gatv2", "item_item_conv": "sage", "user_conv": "gcn", "fusion": "gate"},
        {"user_item_conv": {INTERACTS: "light", REVERSE: "sage"}},
    ],
    ids=["default", "current", "frozen", "ids", "layers", "hetero"],
)
def test_node_numbers_change_nothing(parts):
    data = graph()
    model = AlignRec(data, **parts)
    part, batch = renumbered(data)
    results = []
    for one, triplets in ((model, BATCH), (on_subgraph(model, part), batch)):
        model.zero_grad()
        terms = one.loss(triplets)
        sum(terms.values()).backward()
        results.append((terms, {name: p.grad.clone() for name, p in model.named_parameters() if p.requires_grad}))
    (terms, gradients), (part_terms, part_gradients) = results
    assert terms.keys() == part_terms.keys()
    for name, term in terms.items():
        torch.testing.assert_close(part_terms[name], term, msg=name)
    for name, gradient in gradients.items():
        torch.testing.assert_close(part_gradients[name], gradient, rtol=1e-3, atol=1e-6, msg=name)


def test_the_model_itself_stays_whole():
    data = graph()
    model = AlignRec(data)
    before = model.embeddings()
    part, _ = renumbered(data)
    small = on_subgraph(model, part)
    assert torch.equal(small.user_embedding, model.user_embedding[part["user"].n_id])
    assert all(one is own for one, own in zip(small.parameters(), model.parameters(), strict=True))
    assert all(torch.equal(table, old) for table, old in zip(model.embeddings(), before, strict=True))


def test_edges_count_in_the_directions_in_which_they_were_drawn():
    data = graph()
    model = AlignRec(data, [], AlignRecConfig(layers=1))
    part, _ = renumbered(data)
    part[INTERACTS].edge_index, part[INTERACTS].edge_weight = torch.empty(2, 0, dtype=torch.long), torch.empty(0)
    users, items = on_subgraph(model, part).encode()
    torch.testing.assert_close(users, model.encode().users[part["user"].n_id])
    torch.testing.assert_close(items, model.item_embedding[part["item"].n_id] / 2)


@pytest.mark.parametrize(("layers", "item_layers", "depth"), [(3, 1, 3), (1, 2, 3), (2, 2, 3)])
def test_too_few_hops(layers, item_layers, depth):
    data = graph()
    part, _ = renumbered(data)
    model = AlignRec(data, config=AlignRecConfig(layers=layers, item_layers=item_layers))
    with pytest.raises(InputError, match=rf"reach {depth} hops far; give num_neighbors for each \(got 2\)"):
        on_subgraph(model, part)


def test_a_part_without_an_edge_type_that_the_model_uses():
    data = graph()
    part, _ = renumbered(data)
    del part[SIMILAR]
    with pytest.raises(InputError, match="no edge type 'item__similar__item'"):
        on_subgraph(AlignRec(data), part)


def test_a_part_of_another_origin():
    data = graph()
    with pytest.raises(InputError, match="takes what SubgraphSampler yields"):
        on_subgraph(AlignRec(data), data)
