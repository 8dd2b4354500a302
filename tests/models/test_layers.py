"""Other layers, fusions and losses in the models; graphs with more kinds of nodes and edges."""

import json

import pytest
import torch
from torch_geometric.nn import SAGEConv

from alignrec_geo.dataset import make_catalogue
from alignrec_geo.errors import InputError
from alignrec_geo.graph import to_hetero
from alignrec_geo.graph.hetero import INTERACTS, REVERSE
from alignrec_geo.models import FREEDOM, MGCN, AlignRec, AlignRecConfig, Batch, LightGCN
from alignrec_geo.nn.conv import CONVS
from alignrec_geo.nn.losses import BPR, CCA, L2, REG, UIA
from alignrec_geo.training import TrainingConfig, fit
from tests.golden_numbers import toy_graph

BATCH = Batch(torch.arange(60), torch.arange(60) % 40, (torch.arange(60) + 7) % 40, nominal_size=64)
MODELS = (AlignRec, LightGCN, MGCN, FREEDOM)


@pytest.fixture(scope="module")
def catalogue():
    return make_catalogue(n_users=60, n_items=40, image_size=16)


def learns(model, steps=8):
    """The loss falls, and every parameter gets a gradient and moves."""
    model.train()
    model.start_epoch(0, torch.Generator().manual_seed(0))
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(steps):
        loss = sum(model.loss(BATCH).values())
        optimizer.zero_grad()
        loss.backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, name
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    for name, parameter in model.named_parameters():
        assert not torch.equal(parameter.detach(), before[name]), name


@pytest.mark.parametrize("name", CONVS)
def test_every_layer_learns_in_every_place(name):
    learns(AlignRec(toy_graph(), user_item_conv=name))
    learns(AlignRec(toy_graph(), item_item_conv=name))


@pytest.mark.parametrize("name", CONVS)
def test_every_layer_carries_content_to_users(name):
    model = AlignRec(toy_graph(), user_conv=name)
    users = model.views().content_users
    assert users.shape == (60, 64)
    users.square().sum().backward()
    for parameter in (model.content, model.item_embedding, *model.projection.parameters()):
        assert parameter.grad.abs().sum() > 0
    assert model.user_embedding.grad is None  # their rows are made of the items' alone


@pytest.mark.parametrize("model", MODELS[1:])
def test_other_models_take_layers_too(model):
    learns(model(toy_graph("image", "text"), user_item_conv="sage"))
    if model is not LightGCN:
        learns(model(toy_graph("image", "text"), item_item_conv="gcn"))


@pytest.mark.parametrize("model", MODELS)
def test_pygs_light_layer_equals_the_default(model):
    plain, other = model(toy_graph(), seed=2), model(toy_graph(), seed=2, user_item_conv="lg")
    for ours, theirs in zip(plain.embeddings(), other.embeddings(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_tables_start_alike_whatever_the_layer():
    plain, other = AlignRec(toy_graph(), seed=2), AlignRec(toy_graph(), seed=2, user_item_conv="gatv2", fusion="gate")
    for name, parameter in plain.named_parameters():
        assert torch.equal(parameter, dict(other.named_parameters())[name]), name


def test_layers_and_what_is_stored_of_them():
    model = AlignRec(toy_graph(), user_item_conv=["light", SAGEConv, SAGEConv(64, 64)])
    assert model.config.layers == 3
    path = "torch_geometric.nn.conv.sage_conv.SAGEConv"
    assert model.config.user_item_conv == ["light", path, f"<object of {path}>"]
    assert AlignRec(toy_graph(), layers=4).config.layers == 4
    assert AlignRecConfig(user_item_conv=SAGEConv).user_item_conv == path
    with pytest.raises(InputError, match=r"layers must be at least 0 \(got -1\)"):
        AlignRec(toy_graph(), layers=-1)
    with pytest.raises(InputError, match="unknown layer; there are: light"):
        AlignRecConfig(item_item_conv="svd")
    with pytest.raises(InputError, match=r"item_item_conv: layer '.*SAGEConv>' fails on rows of width 64"):
        AlignRec(toy_graph(), item_item_conv=SAGEConv(32, 64))


def test_items_without_content_stay_without_it():
    data = toy_graph()
    data["item"].has_image[[1, 2]] = False
    model = AlignRec(data, item_item_conv="sage")
    assert not model.views().content_items[[1, 2]].any()
    assert model.views().content_items[3].any()


@pytest.mark.parametrize("fusion", ["mean", "concat", "gate", "attention", torch.maximum])
def test_every_fusion_learns_and_scores_as_it_trains(fusion):
    model = AlignRec(toy_graph(), fusion=fusion)
    learns(model)
    identity, users, items = model.views()
    torch.testing.assert_close(torch.cat(model.encode()), model.fusion(identity, torch.cat([users, items])))


def test_the_usual_terms_as_parts_are_the_usual_loss():
    usual = AlignRec(toy_graph()).loss(BATCH)
    parts = AlignRec(toy_graph(), losses=[BPR(), L2(1e-4), UIA(0.1), CCA(0.01, 0.2), REG(0.1)])
    for (name, ours), theirs in zip(parts.loss(BATCH).items(), usual.values(), strict=True):
        assert torch.equal(ours, theirs), name
    again = AlignRec(toy_graph(), config=parts.config)
    assert {name: float(term) for name, term in again.loss(BATCH).items()} == {
        name: float(term) for name, term in usual.items()
    }


def hinge(views, batch):
    """A reader's own loss."""
    return (1.0 - (views.fused.user * (views.fused.positive - views.fused.negative)).sum(dim=1)).clamp(min=0).mean()


def test_terms_of_ones_own_are_logged_by_name(catalogue, tmp_path):
    model = AlignRec(to_hetero(catalogue, cache=False), losses=[BPR(), hinge])
    fit(model, catalogue, TrainingConfig(epochs=2, tensorboard=False), out=tmp_path / "run")
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [set(line["loss"]) for line in lines] == [{"bpr", "hinge"}] * 2
    assert "losses: bpr(1) + <hinge>" in (tmp_path / "run" / "config.yaml").read_text()


@pytest.mark.parametrize("losses", ["directau(1, 0.5)", "sampled_softmax", "bpr + symmetric_infonce(0.1)"])
def test_alternative_losses_learn(losses):
    model = AlignRec(toy_graph(), config=AlignRecConfig(losses=losses, train_features=False))
    first = sum(model.loss(BATCH).values())
    first.backward()
    assert model.user_embedding.grad.abs().sum() > 0
    assert model.item_embedding.grad.abs().sum() > 0


def test_a_term_on_content_needs_features():
    with pytest.raises(InputError, match="'cca' compares content with something, and there are no features"):
        AlignRec(toy_graph(), features=[], config=AlignRecConfig(losses="bpr + cca"))


def shop(catalogue):
    """The catalogue with brands, and with users who follow users."""
    graph = to_hetero(catalogue, cache=False)
    items, users = torch.arange(40), torch.arange(60)
    graph["brand"].num_nodes = 5
    graph["item", "made_by", "brand"].edge_index = torch.stack([items, items % 5])
    graph["brand", "makes", "item"].edge_index = torch.stack([items % 5, items])
    graph["user", "follows", "user"].edge_index = torch.stack([users, (users * 7 + 1) % 60])
    return graph


RELATIONS = {
    INTERACTS: "light",
    REVERSE: "sage",
    ("item", "made_by", "brand"): "gatv2",
    ("brand", "makes", "item"): SAGEConv,
    "user__follows__user": "gcn",
}


def test_more_kinds_of_nodes_and_edges_train_evaluate_and_recommend(catalogue, tmp_path):
    model = AlignRec(shop(catalogue), user_item_conv=RELATIONS)
    assert model.tables["brand"].shape == (5, 64)
    before = model.tables["brand"].detach().clone()
    result = fit(model, catalogue, TrainingConfig(epochs=3, lr=0.01, tensorboard=False), out=tmp_path / "run")
    assert not torch.equal(model.tables["brand"].detach(), before)
    assert 0.0 <= result.metrics["recall@20"] <= 1.0
    model.dataset = catalogue
    user = catalogue.users["id"][0]
    assert len(model.recommend([user], k=3)[user]) == 3
    again = AlignRec(shop(catalogue), config=model.config)  # what the run folder stores makes the same model
    assert {name: p.shape for name, p in again.named_parameters()} == {
        name: p.shape for name, p in model.named_parameters()
    }


def test_every_relation_gets_gradients(catalogue):
    learns(AlignRec(shop(catalogue), user_item_conv=RELATIONS))


def test_the_two_usual_edge_types_are_the_usual_model():
    graph = toy_graph()
    graph[REVERSE].edge_index = graph[INTERACTS].edge_index.flip(0)
    usual, hetero = AlignRec(graph, seed=1), AlignRec(graph, seed=1, user_item_conv={INTERACTS: "light", REVERSE: "lg"})
    for ours, theirs in zip(usual.embeddings(), hetero.embeddings(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_weights_of_the_pairs_are_taken():
    graph = toy_graph()
    n_pairs = graph[INTERACTS].edge_index.shape[1]
    plain = AlignRec(graph, seed=1).embeddings()
    weight = torch.rand(n_pairs, generator=torch.Generator().manual_seed(0))
    graph[REVERSE].edge_index = graph[INTERACTS].edge_index.flip(0)
    graph[INTERACTS].edge_weight = graph[REVERSE].edge_weight = weight
    usual, hetero = AlignRec(graph, seed=1), AlignRec(graph, seed=1, user_item_conv={INTERACTS: "light", REVERSE: "lg"})
    for ours, theirs, unweighted in zip(usual.embeddings(), hetero.embeddings(), plain, strict=True):
        torch.testing.assert_close(ours, theirs)
        assert not torch.allclose(ours, unweighted)
    graph[INTERACTS].edge_weight = weight[1:]
    with pytest.raises(InputError, match=rf"one number per pair: \[{n_pairs}\] \(got \[{n_pairs - 1}\]\)"):
        LightGCN(graph)


def test_an_edge_type_that_does_not_exist(catalogue):
    with pytest.raises(InputError, match="no edge type 'item__sold_in__shop'; there are: user__interacts__item, "):
        AlignRec(shop(catalogue), user_item_conv={("item", "sold_in", "shop"): "light"})
    graph = shop(catalogue)
    graph["user", "follows", "user"].edge_index[1, 0] = 99
    with pytest.raises(InputError, match="'user__follows__user' names user 99; there are 60"):
        AlignRec(graph, user_item_conv=RELATIONS)
