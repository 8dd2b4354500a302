import numpy as np
import pytest
import torch
import torch.nn.functional as F

from alignrec_geo.errors import InputError
from alignrec_geo.graph.hetero import INTERACTS
from alignrec_geo.models import Batch, DualGNN, DualGNNConfig
from alignrec_geo.testing import KnownAnswers
from tests.golden_numbers import load_golden, toy_graph
from tests.models.golden_parity import GoldenParity

BATCH = Batch(torch.tensor([0, 3, 5, 3]), torch.tensor([1, 2, 7, 9]), torch.tensor([4, 8, 11, 30]), nominal_size=8)


class TestKnownAnswers(KnownAnswers):
    model = DualGNN
    config = {"hidden": 32}


class TestParity(GoldenParity):
    """All of the golden file, with its user fusion undone.

    There the items' sum over modalities went into the first modality's table before the users were fused, so users got
    ``w0 (r0 + r1) + w1 r1``. That is our fusion with the weights ``(w0, w0 + w1)``, which are copied in place of the
    stored ones; the gradient of the stored weights follows by the chain rule. Its item weights are in no score and only
    in the penalty, so they are none of ours, and the loss is compared without them.
    """

    file = "DualGNN"
    reshaped = True
    names = {
        "preferences.0": "v_preference",
        "preferences.1": "t_preference",
        "modality_weight": "own_weight",
        "encoder.tables.0": "image",
        "encoder.tables.1": "text",
        "encoder.layers.0.0.weight": "v_gcn.MLP.weight",
        "encoder.layers.0.0.bias": "v_gcn.MLP.bias",
        "encoder.layers.0.2.weight": "v_gcn.MLP_1.weight",
        "encoder.layers.0.2.bias": "v_gcn.MLP_1.bias",
        "encoder.layers.1.0.weight": "t_gcn.MLP.weight",
        "encoder.layers.1.0.bias": "t_gcn.MLP.bias",
        "encoder.layers.1.2.weight": "t_gcn.MLP_1.weight",
        "encoder.layers.1.2.bias": "t_gcn.MLP_1.bias",
    }

    @pytest.fixture
    def golden(self):
        toy, stored = load_golden("toy_data"), load_golden(self.file)
        weight, items = stored["param/weight_u"][:, :, 0], stored["param/weight_i"]
        own = np.stack([weight[:, 0], weight[:, 0] + weight[:, 1]], axis=1)
        penalties = (own**2).mean() - (weight**2).mean() - (items**2).mean()
        return stored | {
            "param/own_weight": own,
            "frozen/image": toy["image_feat"],
            "frozen/text": toy["text_feat"],
            "loss": stored["loss"] + 0.01 * penalties,
        }

    def make(self):
        model = DualGNN(toy_graph("image", "text"), config=DualGNNConfig(l2_weight=0.01))
        model.user_weight.copy_(stored_user_graph()[model.common.user, model.common.neighbour])
        return model

    def test_neighbours_and_weights(self, model):
        full = torch.bincount(model.common.user) == 40  # the other users' places were drawn at random
        assert full.sum() > 40
        fresh = DualGNN(toy_graph("image", "text")).user_graph().matrix.to_dense()
        torch.testing.assert_close(fresh[full], stored_user_graph()[full], rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(model.user_graph().matrix.to_dense(), stored_user_graph(), rtol=1e-6, atol=1e-6)

    def test_gradient_of_the_stored_modality_weights(self, model, golden):
        bpr = model.loss(self.batch(golden))["bpr"]
        (own,) = torch.autograd.grad(bpr, model.modality_weight)
        stored = torch.from_numpy(golden["param/weight_u"][:, :, 0])
        chained = torch.stack([own[:, 0] + own[:, 1], own[:, 1]], dim=1) + 0.01 * 2 * stored / stored.numel()
        assert float(chained.norm()) == pytest.approx(float(golden["gradnorm/weight_u"]), rel=1e-5)


def stored_user_graph() -> torch.Tensor:
    stored = load_golden("DualGNN")
    neighbour = torch.from_numpy(stored["state/user_nbrs"])
    weight = torch.from_numpy(stored["state/user_nbr_weights"])
    return torch.zeros(60, 60).scatter_add_(1, neighbour, weight)


def test_tables_equal_the_dense_formulas():
    data = toy_graph("image", "text")
    model = DualGNN(data, config=DualGNNConfig(layers=3, hidden=16, k=5))
    with torch.no_grad():
        model.modality_weight.add_(torch.rand(60, 2, generator=torch.Generator().manual_seed(0)))
    a, users, items = model.graph.matrix.to_dense(), 0, 0
    for number, name in enumerate(("image", "text")):
        first, _, second = model.encoder.layers[number]
        hidden = F.leaky_relu(data["item"][f"x_{name}"] @ first.weight.T + first.bias)
        x = torch.cat([model.preferences[number], hidden @ second.weight.T + second.bias])
        x = x / x.norm(dim=1, keepdim=True)
        r = x + a @ x + a @ a @ x + a @ a @ a @ x
        users, items = users + model.modality_weight[:, number, None] * r[:60], items + r[60:]
    users = users + model.user_graph().matrix.to_dense() @ users
    torch.testing.assert_close(torch.cat(model.encode()), torch.cat([users, items]))


def test_loss_equals_the_plain_formulas():
    model = DualGNN(toy_graph("image", "text"), config=DualGNNConfig(l2_weight=0.3))
    users, items = model.encode()
    margin = (users[BATCH.users] * (items[BATCH.positives] - items[BATCH.negatives])).sum(1)
    squares = sum(table[BATCH.users].square().mean() for table in model.preferences)
    terms = model.loss(BATCH)
    torch.testing.assert_close(terms["bpr"], -torch.log2(torch.sigmoid(margin)).mean())
    torch.testing.assert_close(terms["l2"], 0.3 * (squares + model.modality_weight.square().mean()))


def test_modality_weights_start_at_a_softmax():
    weight = DualGNN(toy_graph("image", "text")).modality_weight
    torch.testing.assert_close(weight.sum(dim=1), torch.ones(60))
    assert 0.5 < float(weight.max()) < 0.8
    assert (DualGNN(toy_graph("image")).modality_weight == 1.0).all()


def test_the_user_graph_is_drawn_anew_each_epoch_and_kept_with_the_parameters():
    model = DualGNN(toy_graph(), config=DualGNNConfig(k=60))
    first = model.user_graph().matrix.to_dense()
    saved = {name: value.clone() for name, value in model.state_dict().items()}
    model.start_epoch(0, torch.Generator().manual_seed(0))
    second = model.user_graph()
    assert not torch.equal(first, second.matrix.to_dense())
    assert torch.equal(second.matrix.to_dense().T, second.transposed.to_dense())
    assert torch.equal(first > 0, second.matrix.to_dense() > 0)
    model.start_epoch(1, torch.Generator().manual_seed(0))
    assert torch.equal(model.user_graph().matrix.to_dense(), second.matrix.to_dense())
    model.load_state_dict(saved)
    assert torch.equal(first, model.user_graph().matrix.to_dense())


def test_an_item_without_a_modality_starts_from_zero_there():
    data = toy_graph("image", "text")
    data["item"].has_image[7] = False
    model = DualGNN(data)
    first = model.encode()
    with torch.no_grad():
        model.encoder.tables[0][7] += 5.0  # what stands in a missing row must not matter
    for ours, other in zip(first, model.encode(), strict=True):
        torch.testing.assert_close(ours, other)
    batch = BATCH._replace(positives=torch.full((4,), 7))
    assert all(term.isfinite() for term in model.loss(batch).values())


def test_an_isolated_user_is_its_own_preferences():
    data = toy_graph()
    kept = data[INTERACTS].edge_index[0] != 3
    data[INTERACTS].edge_index = data[INTERACTS].edge_index[:, kept]
    model = DualGNN(data)
    torch.testing.assert_close(model.encode().users[3], F.normalize(model.preferences[0][3], dim=0))


def test_errors_and_repr():
    with pytest.raises(InputError, match="at least one feature matrix"):
        DualGNN(toy_graph(), features=[])
    with pytest.raises(InputError, match="hidden"):
        DualGNNConfig(hidden=0)
    assert repr(DualGNN(toy_graph())) == "DualGNN(users=60, items=40, features=['image'])"
