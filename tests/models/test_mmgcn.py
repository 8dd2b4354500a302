import pytest
import torch
import torch.nn.functional as F

from alignrec_geo.errors import InputError
from alignrec_geo.graph.hetero import INTERACTS
from alignrec_geo.models import MMGCN, Batch, MMGCNConfig
from alignrec_geo.testing import KnownAnswers
from tests.golden_numbers import load_golden, toy_graph
from tests.models.golden_parity import GoldenParity

BATCH = Batch(torch.tensor([0, 3, 5, 3]), torch.tensor([1, 2, 7, 9]), torch.tensor([4, 8, 11, 30]), nominal_size=8)


class TestKnownAnswers(KnownAnswers):
    model = MMGCN
    config = {"latent_dim": 32}
    epochs = 20


LAYER = {
    "neighbour": "conv_embed_{}.weight",
    "own.weight": "linear_layer{}.weight",
    "own.bias": "linear_layer{}.bias",
    "combine.weight": "g_layer{}.weight",
    "combine.bias": "g_layer{}.bias",
}


class TestParity(GoldenParity):
    """The golden file's ids and preferences never trained, so it has no gradients of them; ours get theirs."""

    file = "MMGCN"
    names = {
        "embedding": "id_embedding",
        "preferences.0": "v_gcn.preference",
        "preferences.1": "t_gcn.preference",
        "encoder.tables.0": "image",
        "encoder.tables.1": "text",
        "encoder.layers.0.weight": "v_gcn.MLP.weight",
        "encoder.layers.0.bias": "v_gcn.MLP.bias",
        **{
            f"networks.{number}.layers.{depth}.{ours}": f"{branch}.{theirs.format(depth + 1)}"
            for number, branch in enumerate(("v_gcn", "t_gcn"))
            for depth in range(3)
            for ours, theirs in LAYER.items()
        },
    }

    @pytest.fixture
    def golden(self):
        toy = load_golden("toy_data")
        stored = load_golden(self.file)
        # ours penalises the preferences of every modality, theirs those of the first
        second = 0.01 * (stored["frozen/t_gcn.preference"] ** 2).mean()
        return stored | {
            "frozen/image": toy["image_feat"],
            "frozen/text": toy["text_feat"],
            "loss": stored["loss"] + second,
        }

    def make(self):
        return MMGCN(toy_graph("image", "text"), config=MMGCNConfig(l2_weight=0.01))

    def test_ids_and_preferences_train(self, model, golden):
        sum(model.loss(self.batch(golden)).values()).backward()
        for table in (model.embedding, *model.preferences):
            assert table.requires_grad
            assert float(table.grad.abs().sum()) > 0


def test_frozen_ids_and_preferences_stay_while_the_rest_trains():
    model = MMGCN(toy_graph("image", "text"), config=MMGCNConfig(ids="frozen"))
    learned = MMGCN(toy_graph("image", "text"))
    names = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    assert names == {"embedding", "preferences.0", "preferences.1", "encoder.tables.0", "encoder.tables.1"}
    losses = [other.loss(BATCH) for other in (model, learned)]
    assert losses[0] == losses[1]
    for terms in losses:
        sum(terms.values()).backward()
    theirs = dict(learned.named_parameters())
    for name, parameter in model.named_parameters():
        if name not in names:
            torch.testing.assert_close(parameter.grad, theirs[name].grad)


def test_nodes_equal_the_dense_formulas():
    data = toy_graph("image", "text")
    model = MMGCN(data, config=MMGCNConfig(layers=2, projected="all", latent_dim=20))
    user, item = data[INTERACTS].edge_index
    a = torch.zeros(100, 100)
    a[user, item + 60] = a[item + 60, user] = 1.0
    mean = a / a.sum(1, keepdim=True).clamp(min=1.0)
    expected = 0
    for number, name in enumerate(("image", "text")):
        projection = model.encoder.layers[number]
        x = torch.cat([model.preferences[number], projection(data["item"][f"x_{name}"])])
        x = x / x.norm(dim=1, keepdim=True)
        for layer in model.networks[number].layers:
            h = F.leaky_relu(mean @ x @ layer.neighbour)
            own = F.leaky_relu(x @ layer.own.weight.T + layer.own.bias) + model.embedding
            x = F.leaky_relu(torch.cat([h, own], dim=1) @ layer.combine.weight.T + layer.combine.bias)
        expected = expected + x / 2
    torch.testing.assert_close(torch.cat(model.encode()), expected)


def test_the_penalty_counts_a_user_beside_each_of_its_two_items():
    model = MMGCN(toy_graph(), config=MMGCNConfig(l2_weight=2.0))
    users, items = model.embedding[:60], model.embedding[60:]
    rows = torch.cat([users[BATCH.users], users[BATCH.users]]).square()
    rows = rows + torch.cat([items[BATCH.positives], items[BATCH.negatives]]).square()
    expected = 2.0 * (rows.mean() + model.preferences[0].square().mean())
    torch.testing.assert_close(model.loss(BATCH)["l2"], expected)


@pytest.mark.parametrize(("projected", "widths"), [("first", [8, 12]), ("all", [8, 8]), ("none", [24, 12])])
def test_which_modalities_are_projected(projected, widths):
    model = MMGCN(toy_graph("image", "text"), config=MMGCNConfig(projected=projected, latent_dim=8))
    assert [table.shape[1] for table in model.preferences] == widths


def test_an_item_without_a_modality_starts_from_zero_there():
    data = toy_graph("image", "text")
    data["item"].has_image[7] = False
    model = MMGCN(data)
    first = model.encode()
    with torch.no_grad():
        model.encoder.tables[0][7] += 5.0  # what stands in a missing row must not matter
    for ours, other in zip(first, model.encode(), strict=True):
        torch.testing.assert_close(ours, other)
    assert all(term.isfinite() for term in model.loss(BATCH).values())


def test_an_isolated_user_hears_from_nobody():
    data = toy_graph()
    kept = data[INTERACTS].edge_index[0] != 3
    data[INTERACTS].edge_index = data[INTERACTS].edge_index[:, kept]
    model = MMGCN(data, config=MMGCNConfig(layers=1))
    layer = model.networks[0].layers[0]
    x = F.normalize(model.preferences[0][3], dim=0)
    own = F.leaky_relu(layer.own(x)) + model.embedding[3]
    expected = F.leaky_relu(layer.combine(torch.cat([torch.zeros(256), own])))
    torch.testing.assert_close(model.encode().users[3], expected)


def test_errors_and_repr():
    with pytest.raises(InputError, match="at least one feature matrix"):
        MMGCN(toy_graph(), features=[])
    with pytest.raises(InputError, match="projected"):
        MMGCNConfig(projected="second")
    with pytest.raises(InputError, match="layers"):
        MMGCNConfig(layers=0)
    assert repr(MMGCN(toy_graph())) == "MMGCN(users=60, items=40, features=['image'])"
