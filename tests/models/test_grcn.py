import pytest
import torch
import torch.nn.functional as F

from alignrec_geo.errors import InputError
from alignrec_geo.graph.hetero import INTERACTS
from alignrec_geo.models import GRCN, Batch, GRCNConfig
from alignrec_geo.testing import KnownAnswers
from tests.golden_numbers import load_golden, toy_graph
from tests.models.golden_parity import GoldenParity

BATCH = Batch(torch.tensor([0, 3, 5, 3]), torch.tensor([1, 2, 7, 9]), torch.tensor([4, 8, 11, 30]), nominal_size=8)


class TestKnownAnswers(KnownAnswers):
    model = GRCN


class TestParity(GoldenParity):
    """The reference's routing edges lead nowhere, so its preferences are only normalised: no routing here.

    It also penalises the whole first preference table, which is added to our loss for the comparison.
    """

    file = "GRCN"
    names = {
        "identity": "id_gcn.id_embedding",
        "preferences.0": "v_gcn.preference",
        "preferences.1": "t_gcn.preference",
        "confidence": "model_specific_conf",
        "encoder.tables.0": "image",
        "encoder.tables.1": "text",
        "encoder.layers.0.weight": "v_gcn.MLP.weight",
        "encoder.layers.0.bias": "v_gcn.MLP.bias",
        "encoder.layers.1.weight": "t_gcn.MLP.weight",
        "encoder.layers.1.bias": "t_gcn.MLP.bias",
    }

    def make(self):
        return GRCN(toy_graph("image", "text"), ["image", "text"], GRCNConfig(routing_iterations=0, l2_weight=0.01))

    @pytest.fixture
    def golden(self):
        toy = load_golden("toy_data")
        return load_golden(self.file) | {"frozen/image": toy["image_feat"], "frozen/text": toy["text_feat"]}

    @pytest.fixture
    def model(self, golden):
        model = self.make()
        own = dict(model.named_parameters())
        assert own.keys() == self.names.keys()
        with torch.no_grad():
            for ours, theirs in self.names.items():
                own[ours].copy_(torch.from_numpy(golden.get(f"param/{theirs}", golden.get(f"frozen/{theirs}"))))
        terms = model.loss
        model.loss = lambda batch: terms(batch) | {"table": 0.01 * model.preferences[0].square().mean()}
        return model.train()


def test_branches_equal_the_dense_formulas():
    data = toy_graph("image")
    model = GRCN(data, ["image"], GRCNConfig(routing_iterations=2))
    seen = torch.zeros(60, 40)
    seen[tuple(data[INTERACTS].edge_index)] = 1.0

    def attention(scores, mask):
        return torch.nan_to_num(scores.masked_fill(mask == 0, -torch.inf).softmax(dim=1))

    p = F.normalize(model.preferences[0])
    layer = model.encoder.layers[0]
    f = F.normalize(F.leaky_relu(data["item"].x_image @ layer.weight.T + layer.bias))
    for _ in range(2):
        p = F.normalize(p + attention(p @ f.T, seen) @ f)
    to_users, to_items = attention(p @ f.T, seen), attention(f @ p.T, seen.T)
    (branch,) = model.content_branches()
    torch.testing.assert_close(branch.users, p + to_users @ f)
    torch.testing.assert_close(branch.items, f + to_items @ p)
    trust = model.confidence[:, 0]
    w = torch.zeros(100, 100)
    w[:60, 60:], w[60:, :60] = F.relu(to_users * trust[60:]), F.relu(to_items * trust[:60])
    y = F.normalize(model.identity)
    z = y + w @ y + w @ w @ y
    users, items = model.encode()
    torch.testing.assert_close(torch.cat([users, items])[:, :64], z)
    torch.testing.assert_close(torch.cat([users, items])[:, 64:], torch.cat([branch.users, branch.items]))


def test_routing_moves_users():
    apart = [GRCN(toy_graph(), config=GRCNConfig(routing_iterations=n)).content_branches()[0].users for n in (0, 3)]
    assert (apart[0] - apart[1]).abs().max() > 1e-3


def test_the_weight_scales_its_term_and_every_term_is_named():
    first, second = (GRCN(toy_graph(), config=GRCNConfig(l2_weight=weight)).loss(BATCH) for weight in (1e-3, 2e-3))
    assert set(first) == {"bpr", "l2"}
    torch.testing.assert_close(second["l2"], 2 * first["l2"])
    torch.testing.assert_close(second["bpr"], first["bpr"])


def test_users_and_items_without_a_pair_keep_their_own_vectors():
    data = toy_graph()
    user, item = data[INTERACTS].edge_index
    kept = (user != 5) & (item != 7)
    data[INTERACTS].edge_index = data[INTERACTS].edge_index[:, kept]
    model = GRCN(data)
    users, items = model.encode()
    torch.testing.assert_close(users[5, :64], F.normalize(model.identity, dim=1)[5])
    assert users.isfinite().all()
    assert items.isfinite().all()


def test_items_without_the_modality_are_zero_there():
    data = toy_graph()
    data["item"].has_image[3] = False
    data["item"].x_image[3] = torch.nan
    model = GRCN(data)
    terms = model.loss(BATCH)
    assert all(term.isfinite() for term in terms.values())
    sum(terms.values()).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.requires_grad)


def test_errors_and_repr():
    with pytest.raises(InputError, match="at least one feature matrix"):
        GRCN(toy_graph(), features=[])
    with pytest.raises(InputError, match="routing_iterations"):
        GRCNConfig(routing_iterations=-1)
    assert repr(GRCN(toy_graph())) == "GRCN(users=60, items=40, features=['image'])"
