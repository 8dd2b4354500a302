import numpy as np
import pytest
import torch
import torch.nn.functional as F

from alignrec_geo.errors import InputError
from alignrec_geo.graph.hetero import INTERACTS
from alignrec_geo.models import Batch, SLMRec, SLMRecConfig
from alignrec_geo.testing import KnownAnswers
from tests.golden_numbers import load_golden, toy_graph
from tests.models.golden_parity import GoldenParity

BATCH = Batch(torch.tensor([0, 3, 5, 3]), torch.tensor([1, 2, 7, 2]), torch.tensor([4, 8, 11, 30]), nominal_size=8)


class TestKnownAnswers(KnownAnswers):
    model = SLMRec
    epochs = 20


LINEAR = {
    "encoder.layers.0": "v_dense",
    "encoder.layers.1": "t_dense",
    "fuse_users": "embedding_user_after_GCN",
    "fuse_items": "embedding_item_after_GCN",
    "chain.0": "g_i_iv",
    "chain.1": "g_iv_iva",
    "queries.0": "g_iva_ivat",
}


class TestParity(GoldenParity):
    """All of the golden file; the biases of its keys have no gradient (1e-8) and are none of ours.

    Its scores went through the logistic function.
    """

    file = "SLMRec"
    names = {
        "user_embedding": "embedding_user.weight",
        "item_embedding": "embedding_item.weight",
        "encoder.tables.0": "image",
        "encoder.tables.1": "text",
        **{f"{ours}.{part}": f"{theirs}.{part}" for ours, theirs in LINEAR.items() for part in ("weight", "bias")},
        "keys.0.weight": "g_v_iv.weight",
        "keys.1.weight": "g_t_ivat.weight",
    }

    @pytest.fixture
    def golden(self):
        toy = load_golden("toy_data")
        unit = {name: F.normalize(torch.from_numpy(toy[f"{name}_feat"]), dim=1).numpy() for name in ("image", "text")}
        return load_golden(self.file) | {f"frozen/{name}": rows for name, rows in unit.items()}

    def make(self):
        config = SLMRecConfig(ssl_temperature=0.5, ssl_weight=0.1, temperature=0.2)
        return SLMRec(toy_graph("image", "text"), config=config)

    def test_scores(self, model, golden):
        users, items = model.embeddings()
        np.testing.assert_allclose(torch.sigmoid(users @ items.T).numpy(), golden["scores"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("names", [("image",), ("image", "text"), ("image", "text", "sound")])
def test_loss_equals_the_dense_formulas_on_the_whole_batch(names):
    data = toy_graph("image", "text")
    data["item"].x_sound = torch.rand(40, 5, generator=torch.Generator().manual_seed(0))
    data["item"].has_sound = torch.ones(40, dtype=torch.bool)
    model = SLMRec(data, features=names, config=SLMRecConfig(ssl_temperature=0.7, ssl_weight=0.3, temperature=0.4))
    a, p = model.graph.matrix.to_dense(), model.user_embedding
    items = [model.item_embedding]
    for layer, name in zip(model.encoder.layers, names, strict=True):
        x = data["item"][f"x_{name}"]
        items.append(layer(x / x.norm(dim=1, keepdim=True)))
    views = []
    for table in items:
        x = torch.cat([p, table])
        views.append((x + a @ x + a @ a @ x + a @ a @ a @ x) / 4)
    torch.testing.assert_close(model.views(), torch.cat(views, dim=1))
    user = torch.cat(views, dim=1)[:60] @ model.fuse_users.weight.T + model.fuse_users.bias
    item = torch.cat(views, dim=1)[60:] @ model.fuse_items.weight.T + model.fuse_items.bias
    own = torch.arange(4)
    unit_u, unit_i = F.normalize(user[BATCH.users], dim=1), F.normalize(item[BATCH.positives], dim=1)
    terms = model.loss(BATCH)
    torch.testing.assert_close(terms["infonce"], F.cross_entropy(unit_u @ unit_i.T / 0.4, own))
    first, *modal = (view[60:][BATCH.positives] for view in views)
    z = model.chain[0](first)
    ssl = F.cross_entropy(z @ model.keys[0](modal[0]).T / 0.7, own)
    for number in range(1, len(names)):
        z = model.chain[number](z)
        logits = model.queries[number - 1](z) @ model.keys[number](modal[number]).T
        ssl = ssl + F.cross_entropy(logits / 0.7, own)
    torch.testing.assert_close(terms["ssl"], 0.3 * ssl)


def test_an_item_without_a_modality_is_left_out_of_its_contrast():
    data = toy_graph("image", "text")
    data["item"].has_text[2] = False
    data["item"].x_text[2] = 5.0  # what stands in a missing row must not matter
    model = SLMRec(data, config=SLMRecConfig(layers=0))
    assert not model.views()[62, 128:].any()
    model.loss(BATCH)["ssl"].backward()
    rows = (model.item_embedding.grad.abs().sum(dim=1) > 0).nonzero()[:, 0]
    assert rows.tolist() == [1, 2, 7]  # item 2 is still contrasted with its image
    alone = BATCH._replace(positives=torch.full((4,), 2))
    one = SLMRec(data, features=["text"]).loss(alone)
    assert float(one["ssl"].detach()) == 0.0
    assert one["infonce"].isfinite()


def test_negatives_are_not_used():
    model = SLMRec(toy_graph("image", "text"))
    other = model.loss(BATCH._replace(negatives=BATCH.negatives.flip(0)))
    for name, value in model.loss(BATCH).items():
        assert torch.equal(value, other[name])


def test_an_isolated_user_keeps_a_share_of_its_own_row():
    data = toy_graph()
    kept = data[INTERACTS].edge_index[0] != 3
    data[INTERACTS].edge_index = data[INTERACTS].edge_index[:, kept]
    model = SLMRec(data)
    torch.testing.assert_close(model.views()[3], model.user_embedding[3].repeat(2) / 4)


def test_errors_and_repr():
    with pytest.raises(InputError, match="at least one feature matrix"):
        SLMRec(toy_graph(), features=[])
    with pytest.raises(InputError, match="ssl_temperature"):
        SLMRecConfig(ssl_temperature=0)
    assert repr(SLMRec(toy_graph())) == "SLMRec(users=60, items=40, features=['image'])"
