import pytest
import torch
import torch.nn.functional as F

from alignrec_geo.errors import InputError
from alignrec_geo.models import BM3, Batch, BM3Config
from alignrec_geo.testing import KnownAnswers
from tests.golden_numbers import toy_graph
from tests.models.golden_parity import GoldenParity, ten_steps_agree

BATCH = Batch(torch.tensor([0, 3, 5, 3]), torch.tensor([1, 2, 7, 1]), torch.tensor([4, 8, 11, 30]), nominal_size=8)
STILL = BM3Config(dropout=0.0)


class TestKnownAnswers(KnownAnswers):
    model = BM3
    epochs = 60


def distance(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return 1 - F.cosine_similarity(a, b.detach()).mean()


def plain_loss(p: dict[str, torch.Tensor], a: torch.Tensor, batch: Batch, layers: int) -> torch.Tensor:
    """The paper's formulas without dropout, dense, for two modalities that all items have."""
    e = h = torch.cat([p["user_embedding"], p["item_embedding"]])
    total = e
    for _ in range(layers):
        h = a @ h
        total = total + h
    h_u, h_i = (total / (layers + 1)).split([60, 40])
    h_i = h_i + p["item_embedding"]
    u, i = h_u[batch.users], h_i[batch.positives]

    def g(x: torch.Tensor) -> torch.Tensor:
        return x @ p["predictor.weight"].T + p["predictor.bias"]

    loss = distance(g(u), i) + distance(g(i), u) + 0.1 * (h_u.norm() + h_i.norm()) / 40
    for m in ("0", "1"):
        f = p[f"encoder.tables.{m}"] @ p[f"encoder.layers.{m}.weight"].T + p[f"encoder.layers.{m}.bias"]
        f = f[batch.positives]
        loss = loss + 2.0 * (distance(g(f), i) + distance(g(f), f))
    return loss


class TestParity(GoldenParity):
    """Levels 0 to 3. The batch has no negatives, and the reference ran without dropout."""

    file = "BM3"
    names = {
        "user_embedding": "user_embedding.weight",
        "item_embedding": "item_id_embedding.weight",
        "encoder.tables.0": "image_embedding.weight",
        "encoder.tables.1": "text_embedding.weight",
        "encoder.layers.0.weight": "image_trs.weight",
        "encoder.layers.0.bias": "image_trs.bias",
        "encoder.layers.1.weight": "text_trs.weight",
        "encoder.layers.1.bias": "text_trs.bias",
        "predictor.weight": "predictor.weight",
        "predictor.bias": "predictor.bias",
    }

    def make(self):
        return BM3(toy_graph("image", "text"), config=BM3Config(layers=2, dropout=0.0))

    def test_ten_adam_steps(self, model, golden):
        a = model.graph.matrix.to_dense().double()
        ten_steps_agree(model, lambda p, batch: plain_loss(p, a, batch, layers=2), self.batch(golden))


def test_terms_equal_the_dense_formulas_with_repeated_rows():
    model = BM3(toy_graph("image", "text"), config=STILL)
    parameters = dict(model.named_parameters())
    expected = plain_loss(parameters, model.graph.matrix.to_dense(), BATCH, layers=1)
    torch.testing.assert_close(sum(model.loss(BATCH).values()), expected)


def test_negatives_are_ignored():
    model = BM3(toy_graph("image"), config=STILL)
    other = BATCH._replace(negatives=BATCH.negatives.flip(0))
    for ours, theirs in zip(model.loss(BATCH).values(), model.loss(other).values(), strict=True):
        assert torch.equal(ours, theirs)


def test_dropout_is_on_the_targets_alone_and_reseeded_every_epoch():
    model = BM3(toy_graph("image", "text"))
    values = [model.loss(BATCH) for _ in range(2)]
    assert float(values[0]["interaction"]) != float(values[1]["interaction"])
    assert float(values[0]["content"]) != float(values[1]["content"])
    assert float(values[0]["norm"]) == float(values[1]["norm"])
    again = []
    for _ in range(2):
        model.start_epoch(0, torch.Generator().manual_seed(5))
        again.append(model.loss(BATCH))
    assert float(again[0]["interaction"]) == float(again[1]["interaction"])
    first, second = model.encode(), model.encode()  # in training mode
    assert torch.equal(first.users, second.users)
    assert torch.equal(first.items, second.items)


def test_every_weight_scales_its_term():
    terms = BM3(toy_graph("image"), config=STILL).loss(BATCH)
    assert set(terms) == {"interaction", "norm", "content"}
    for setting, term in (("cl_weight", "content"), ("reg_weight", "norm")):
        doubled = BM3Config(dropout=0.0, **{setting: 2 * getattr(STILL, setting)})
        for name, value in BM3(toy_graph("image"), config=doubled).loss(BATCH).items():
            torch.testing.assert_close(value, terms[name] * (2 if name == term else 1))


def test_means_of_a_modality_are_over_the_positives_that_have_it():
    data = toy_graph("image")
    data["item"].has_image[[2, 7]] = False
    holes, whole = BM3(data, config=STILL), BM3(toy_graph("image"), config=STILL)
    holes.load_state_dict(whole.state_dict())
    only = torch.tensor([0, 3])  # the two rows with item 1
    part = Batch(BATCH.users[only], BATCH.positives[only], BATCH.negatives[only], 8)
    terms = holes.loss(BATCH)
    torch.testing.assert_close(terms["content"], whole.loss(part)["content"])
    sum(terms.values()).backward()
    assert not holes.encoder.tables[0].grad[[2, 7]].any()
    assert holes.encoder.tables[0].grad[1].any()
    alone = BATCH._replace(positives=torch.tensor([2, 7, 2, 7]))
    assert float(holes.loss(alone)["content"]) == 0.0


def test_without_features_it_is_the_user_item_alignment():
    model = BM3(toy_graph("image"), features=[])
    assert set(model.loss(BATCH)) == {"interaction", "norm"}
    assert not any(name.startswith("encoder") for name, _ in model.named_parameters())


def test_frozen_features_give_the_same_numbers_and_no_gradient():
    frozen = BM3(toy_graph("image"), config=BM3Config(dropout=0.0, train_features=False))
    for ours, theirs in zip(
        BM3(toy_graph("image"), config=STILL).loss(BATCH).values(), frozen.loss(BATCH).values(), strict=True
    ):
        torch.testing.assert_close(ours, theirs)
    sum(frozen.loss(BATCH).values()).backward()
    assert frozen.encoder.tables[0].grad is None


def test_isolated_nodes_have_finite_rows_and_gradients():
    data = toy_graph("image")
    data["user"].num_nodes = 61
    model = BM3(data)
    sum(model.loss(BATCH._replace(users=torch.tensor([60, 3, 5, 60]))).values()).backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
    assert all(table.isfinite().all() for table in model.embeddings())


def test_errors_and_repr():
    with pytest.raises(InputError, match="less than 1"):
        BM3Config(dropout=1.0)
    with pytest.raises(InputError, match="cl_weight"):
        BM3Config(cl_weight=-1.0)
    assert repr(BM3(toy_graph("image"))) == "BM3(users=60, items=40, features=['image'])"
