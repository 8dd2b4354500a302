import pytest
import torch
import torch.nn.functional as F

from alignrec_geo.errors import InputError
from alignrec_geo.models import MGCN, Batch, MGCNConfig
from alignrec_geo.nn.behavior_fuser import BehaviorAwareFuser
from alignrec_geo.nn.init import init_linear
from alignrec_geo.testing import KnownAnswers
from tests.golden_numbers import toy_graph
from tests.models.golden_parity import GoldenParity, ten_steps_agree

BATCH = Batch(torch.tensor([0, 3, 5, 3]), torch.tensor([1, 2, 7, 1]), torch.tensor([4, 8, 1, 30]), nominal_size=8)


class TestKnownAnswers(KnownAnswers):
    model = MGCN
    lr = 0.003  # a cold item is placed by its content alone only until the ids have fitted the training pairs by heart
    ranks_cold_items = True


Parameters = dict[str, torch.Tensor]


def linear(p: Parameters, name: str, x: torch.Tensor) -> torch.Tensor:
    return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]


def plain_sides(model: MGCN, p: Parameters) -> tuple[torch.Tensor, torch.Tensor]:
    """Behaviour and content side of all nodes by the paper's formulas, dense, for items that have every modality."""
    kind = p["user_embedding"].dtype
    a, r = (graph.matrix.to_dense().to(kind) for graph in (model.user_item_graph, model.item_to_user))
    e = torch.cat([p["user_embedding"], p["item_embedding"]])
    c = (e + a @ e + a @ a @ e) / 3
    views = []
    for m, graph in enumerate(model.item_graphs.values()):
        s = graph.matrix.to_dense().to(kind)
        f = linear(p, f"encoder.layers.{m}.projection", p[f"encoder.tables.{m}"])
        x = s @ (p["item_embedding"] * torch.sigmoid(linear(p, f"encoder.layers.{m}.gate", f)))
        views.append(torch.cat([r @ x, x]))
    logits = [torch.tanh(linear(p, "fuser.query", v)) @ p["fuser.attention.weight"].T for v in views]
    share = torch.softmax(torch.cat(logits, dim=1), dim=1)
    common = sum(share[:, m, None] * view for m, view in enumerate(views))
    own = [torch.sigmoid(linear(p, f"fuser.preferences.{m}", c)) * (view - common) for m, view in enumerate(views)]
    return c, (sum(own) + common) / (len(views) + 1)


def plain_loss(model: MGCN, p: Parameters, batch: Batch) -> torch.Tensor:
    c, side = plain_sides(model, p)
    z, u, i, j = c + side, batch.users, batch.positives + 60, batch.negatives + 60
    bpr = -F.logsigmoid((z[u] * z[i]).sum(1) - (z[u] * z[j]).sum(1)).mean()
    l2 = 1e-4 * (z[u].square().sum() + z[i].square().sum() + z[j].square().sum()) / 2 / batch.nominal_size
    own = torch.arange(len(u))
    cl = sum(F.cross_entropy(F.normalize(side[n]) @ F.normalize(c[n]).T / 0.2, own) for n in (u, i))
    return bpr + l2 + 0.01 * cl


class TestParity(GoldenParity):
    file = "MGCN"
    names = {
        "user_embedding": "user_embedding.weight",
        "item_embedding": "item_id_embedding.weight",
        "encoder.tables.0": "image_embedding.weight",
        "encoder.tables.1": "text_embedding.weight",
        "encoder.layers.0.projection.weight": "image_trs.weight",
        "encoder.layers.0.projection.bias": "image_trs.bias",
        "encoder.layers.1.projection.weight": "text_trs.weight",
        "encoder.layers.1.projection.bias": "text_trs.bias",
        "encoder.layers.0.gate.weight": "gate_v.0.weight",
        "encoder.layers.0.gate.bias": "gate_v.0.bias",
        "encoder.layers.1.gate.weight": "gate_t.0.weight",
        "encoder.layers.1.gate.bias": "gate_t.0.bias",
        "fuser.query.weight": "query_common.0.weight",
        "fuser.query.bias": "query_common.0.bias",
        "fuser.attention.weight": "query_common.2.weight",
        "fuser.preferences.0.weight": "gate_image_prefer.0.weight",
        "fuser.preferences.0.bias": "gate_image_prefer.0.bias",
        "fuser.preferences.1.weight": "gate_text_prefer.0.weight",
        "fuser.preferences.1.bias": "gate_text_prefer.0.bias",
    }

    def make(self):
        return MGCN(toy_graph("image", "text"))

    def test_ten_adam_steps(self, model, golden):
        ten_steps_agree(model, lambda p, batch: plain_loss(model, p, batch), self.batch(golden))


@pytest.mark.parametrize("names", [("image",), ("image", "text")])
def test_tables_and_loss_equal_the_dense_formulas(names):
    model = MGCN(toy_graph(*names))
    parameters = dict(model.named_parameters())
    c, side = plain_sides(model, parameters)
    torch.testing.assert_close(torch.cat(model.encode()), c + side)
    torch.testing.assert_close(sum(model.loss(BATCH).values()), plain_loss(model, parameters, BATCH))


def test_item_layers_are_steps_on_the_item_graphs():
    config = MGCNConfig(item_layers=2)
    model, none = MGCN(toy_graph("image"), config=config), MGCN(toy_graph("image"), config=MGCNConfig(item_layers=0))
    s = model.item_graphs["image"].matrix.to_dense()
    torch.testing.assert_close(model.views().items, s @ s @ none.views().items)


def test_every_weight_scales_its_term():
    terms = MGCN(toy_graph("image", "text")).loss(BATCH)
    assert set(terms) == {"bpr", "l2", "contrast"}
    for setting, term in (("cl_weight", "contrast"), ("l2_weight", "l2")):
        doubled = MGCNConfig(**{setting: 2 * getattr(MGCNConfig(), setting)})
        for name, value in MGCN(toy_graph("image", "text"), config=doubled).loss(BATCH).items():
            torch.testing.assert_close(value, terms[name] * (2 if name == term else 1))


def test_a_modality_that_a_node_lacks_does_not_count():
    fuser, draw = BehaviorAwareFuser(3, 8), torch.Generator().manual_seed(0)
    for layer in (fuser.query, fuser.attention, *fuser.preferences):
        init_linear(layer, draw)
    behaviour, views = torch.randn(5, 8), torch.randn(5, 3, 8)
    present = torch.tensor([[True, False, True]]).expand(5, 3)
    masked = fuser(behaviour, views * present[:, :, None], present)
    two = BehaviorAwareFuser(2, 8)
    two.query, two.attention = fuser.query, fuser.attention
    two.preferences[0], two.preferences[1] = fuser.preferences[0], fuser.preferences[2]
    torch.testing.assert_close(masked, two(behaviour, views[:, [0, 2]]))
    torch.testing.assert_close(fuser(behaviour, views, torch.ones(5, 3, dtype=torch.bool)), fuser(behaviour, views))
    assert not fuser(behaviour, torch.zeros(5, 3, 8), torch.zeros(5, 3, dtype=torch.bool)).any()


def test_items_without_content_have_their_behaviour_alone():
    data = toy_graph("image", "text")
    data["item"].has_image[[1, 2]] = False
    data["item"].has_text[1] = False
    model = MGCN(data)
    behaviour, _, items = model.views()
    assert not items[1].any()
    assert not items[2, :64].any()
    assert items[2, 64:].any()
    torch.testing.assert_close(model.encode().items[1], behaviour[61])
    terms = model.loss(BATCH)
    sum(terms.values()).backward()
    assert not model.encoder.tables[0].grad[[1, 2]].any()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
    with torch.no_grad():
        model.encoder.tables[0][[1, 2]] += 5.0  # what stands in a missing row must not matter
    for name, value in model.loss(BATCH).items():
        torch.testing.assert_close(value, terms[name])
    alone = BATCH._replace(positives=torch.ones(4, dtype=torch.long))
    assert all(value.isfinite() for value in model.loss(alone).values())


def test_a_user_has_the_modalities_of_the_training_items():
    data = toy_graph("image", "text")
    user, item = data["user", "interacts", "item"].edge_index
    data["item"].has_text[item[user == 4]] = False
    data["user"].num_nodes = 61
    model = MGCN(data)
    assert model.present[4].tolist() == [True, False]
    assert model.present[60].tolist() == [False, False]
    assert torch.equal(model.present[61:, 1], data["item"].has_text)
    behaviour, users, _ = model.views()
    assert not users[4, 64:].any()
    torch.testing.assert_close(model.encode().users[60], behaviour[60])


def test_without_features_it_is_the_behaviour_view():
    model = MGCN(toy_graph("image"), features=[])
    assert {name for name, _ in model.named_parameters()} == {"user_embedding", "item_embedding"}
    assert set(model.loss(BATCH)) == {"bpr", "l2"}
    assert torch.equal(torch.cat(model.encode()), model.views().behaviour)


def test_frozen_features_give_the_same_numbers_and_no_gradient():
    trained, frozen = (MGCN(toy_graph("image"), config=MGCNConfig(train_features=on)) for on in (True, False))
    for ours, theirs in zip(trained.loss(BATCH).values(), frozen.loss(BATCH).values(), strict=True):
        torch.testing.assert_close(ours, theirs)
    sum(frozen.loss(BATCH).values()).backward()
    assert frozen.encoder.tables[0].grad is None


def test_errors_and_repr():
    with pytest.raises(InputError, match="temperature"):
        MGCNConfig(temperature=0.0)
    with pytest.raises(InputError, match=r"^k: "):
        MGCNConfig(k=0)
    assert repr(MGCN(toy_graph("image", "text"))) == "MGCN(users=60, items=40, features=['image', 'text'])"
