import pytest
import torch
from torch_geometric.data import HeteroData

from alignrec_geo.errors import InputError
from alignrec_geo.graph.hetero import INTERACTS, SIMILAR
from alignrec_geo.models import AlignRec, AlignRecConfig, Batch
from alignrec_geo.testing import KnownAnswers
from tests.golden_numbers import toy_graph

BATCH = Batch(torch.tensor([0, 3, 5, 3]), torch.tensor([1, 2, 7, 9]), torch.tensor([4, 8, 11, 30]), nominal_size=8)


class TestKnownAnswers(KnownAnswers):
    model = AlignRec
    ranks_cold_items = True


def test_used_parameters_of_the_paper_sized_model():
    data = HeteroData()
    data["user"].num_nodes, data["item"].num_nodes = 19_445, 7_050
    data["item"].x_image = torch.ones(7_050, 768)
    data["item"].has_image = torch.ones(7_050, dtype=torch.bool)
    none = torch.empty(2, 0, dtype=torch.long)
    data[INTERACTS].edge_index = none
    data[SIMILAR].edge_index, data[SIMILAR].edge_weight = none, torch.empty(0)
    model = AlignRec(data)
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 7_163_456
    frozen = AlignRec(data, config=AlignRecConfig(train_features=False))
    assert sum(p.numel() for p in frozen.parameters() if p.requires_grad) == 7_163_456 - 7_050 * 768


def test_views_equal_the_dense_formulas():
    data = toy_graph()
    model = AlignRec(data, config=AlignRecConfig(layers=3, item_layers=2))
    a, r = model.user_item_graph.matrix.to_dense(), model.item_to_user.matrix.to_dense()
    s = model.item_graph.matrix.to_dense()
    e = torch.cat([model.user_embedding, model.item_embedding])
    f = data["item"].x_image @ model.projection.weight.T + model.projection.bias
    m = s @ s @ (model.item_embedding * torch.sigmoid(f @ model.gate.weight.T + model.gate.bias))
    identity, content_users, content_items = model.views()
    content = torch.cat([content_users, content_items])
    torch.testing.assert_close(identity, (e + a @ e + a @ a @ e + a @ a @ a @ e) / 4)
    torch.testing.assert_close(content, torch.cat([r @ m, m]))
    users, items = model.encode()
    torch.testing.assert_close(torch.cat([users, items]), identity + content)


def test_every_weight_scales_its_term():
    base = AlignRec(toy_graph())
    terms = base.loss(BATCH)
    assert set(terms) == {"bpr", "l2", "uia", "cca", "reg"}
    for name in ("l2", "uia", "cca", "reg"):
        doubled = AlignRecConfig(**{f"{name}_weight": 2 * getattr(base.config, f"{name}_weight")})
        other = AlignRec(toy_graph(), config=doubled)
        for term, value in other.loss(BATCH).items():
            torch.testing.assert_close(value, terms[term] * (2 if term == name else 1))


def test_frozen_features_give_the_same_numbers_and_no_gradient():
    trained, frozen = AlignRec(toy_graph()), AlignRec(toy_graph(), config=AlignRecConfig(train_features=False))
    for ours, theirs in zip(trained.loss(BATCH).values(), frozen.loss(BATCH).values(), strict=True):
        torch.testing.assert_close(ours, theirs)
    sum(frozen.loss(BATCH).values()).backward()
    assert frozen.content.grad is None


def test_without_features_it_is_the_id_branch():
    model = AlignRec(toy_graph(), features=[])
    assert {name for name, _ in model.named_parameters()} == {"user_embedding", "item_embedding"}
    assert set(model.loss(BATCH)) == {"bpr", "l2", "uia"}
    identity, content_users, content_items = model.views()
    assert content_users is None
    assert content_items is None
    assert torch.equal(torch.cat(model.encode()), identity)


def test_items_without_content_have_no_content_branch_and_no_content_loss():
    data = toy_graph()
    data["item"].has_image[[1, 2]] = False
    neighbour, centre = data[SIMILAR].edge_index
    kept = ~torch.isin(neighbour, torch.tensor([1, 2])) & ~torch.isin(centre, torch.tensor([1, 2]))
    data[SIMILAR].edge_index, data[SIMILAR].edge_weight = (
        data[SIMILAR].edge_index[:, kept],
        data[SIMILAR].edge_weight[kept],
    )
    model = AlignRec(data)
    content = model.views().content_items
    assert not content[1].any()
    assert content[3].any()
    terms = model.loss(BATCH)
    assert all(value.isfinite() for value in terms.values())
    with torch.no_grad():
        model.content[[1, 2]] += 5.0  # what stands in a missing row must not matter
    for name, value in model.loss(BATCH).items():
        torch.testing.assert_close(value, terms[name])
    alone = BATCH._replace(positives=torch.tensor([1, 2, 1, 2]))
    assert all(value.isfinite() for value in model.loss(alone).values())


class Shifted(torch.nn.Module):
    """A layer that gives something to every node, those without content included."""

    def forward(self, x, edge_index, edge_weight=None):
        return x + 1.0

    def reset_parameters(self):
        pass


def test_items_without_content_pass_none_on_and_are_given_none():
    data = toy_graph()  # its similarity edges lead from and to every item
    data["item"].has_image[[1, 2]] = False
    model = AlignRec(data, config=AlignRecConfig(item_layers=1))
    present = data["item"].has_image[:, None]
    s, r = model.item_graph.matrix.to_dense(), model.item_to_user.matrix.to_dense()
    gated = model.item_embedding * torch.sigmoid(model.gate(model.projection(model.content)))
    _, users, items = model.views()
    torch.testing.assert_close(items, s @ torch.where(present, gated, 0.0))
    torch.testing.assert_close(users, r @ items)

    model = AlignRec(data, config=AlignRecConfig(item_layers=1), item_item_conv=Shifted())
    gated = model.item_embedding * torch.sigmoid(model.gate(model.projection(model.content)))
    torch.testing.assert_close(model.views().content_items, torch.where(present, gated + 1.0, 0.0))


@pytest.mark.parametrize("term", ["cca(0.1)", "symmetric_infonce(0.1)", "reg(0.1)"])
def test_a_loss_that_needs_content_is_refused_where_there_is_none(term):
    assert set(AlignRec(toy_graph(), features=[], config=AlignRecConfig(losses="bpr + uia")).loss(BATCH)) == {
        "bpr",
        "uia",
    }
    with pytest.raises(InputError, match="there are no features"):
        AlignRec(toy_graph(), features=[], config=AlignRecConfig(losses=f"bpr + {term}"))


def test_xavier_scales_of_the_separate_tables():
    model = AlignRec(toy_graph())
    assert float(model.user_embedding.abs().max()) == pytest.approx((6 / (60 + 64)) ** 0.5, rel=0.02)
    assert float(model.item_embedding.abs().max()) == pytest.approx((6 / (40 + 64)) ** 0.5, rel=0.02)


def test_errors_and_repr():
    with pytest.raises(InputError, match="no features 'text'"):
        AlignRec(toy_graph(), features=["text"])
    with pytest.raises(InputError, match="temperature"):
        AlignRecConfig(temperature=0)
    with pytest.raises(InputError, match="unknown setting"):
        AlignRecConfig(cca=1)
    assert repr(AlignRec(toy_graph())) == "AlignRec(users=60, items=40, features=['image'])"
