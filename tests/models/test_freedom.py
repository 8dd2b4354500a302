import pytest
import torch
import torch.nn.functional as F

from alignrec_geo.errors import InputError
from alignrec_geo.graph.adjacency import symmetric_adjacency
from alignrec_geo.graph.modalities import modalities
from alignrec_geo.models import FREEDOM, Batch, FREEDOMConfig
from alignrec_geo.models.freedom import content_graph, modality_shares
from alignrec_geo.testing import KnownAnswers
from tests.golden_numbers import load_golden, toy_graph
from tests.models.golden_parity import GoldenParity, ten_steps_agree

BATCH = Batch(torch.tensor([0, 3, 5, 3]), torch.tensor([1, 2, 7, 9]), torch.tensor([4, 8, 11, 30]), nominal_size=8)


class TestKnownAnswers(KnownAnswers):
    model = FREEDOM
    ranks_cold_items = True


def mean_graph(x: torch.Tensor, k: int = 10) -> torch.Tensor:
    unit = F.normalize(x.double(), dim=1)
    best = (unit @ unit.T).topk(k, dim=1).indices
    return torch.zeros(len(x), len(x), dtype=torch.float64).scatter_(1, best, 1.0 / k)


class TestParity(GoldenParity):
    """Levels 0 to 3, on the stored kept edges. The reference's biases of the projections are not ours: they cancel."""

    file = "FREEDOM"
    names = {
        "user_embedding": "user_embedding.weight",
        "item_embedding": "item_id_embedding.weight",
        "encoder.tables.0": "image_embedding.weight",
        "encoder.tables.1": "text_embedding.weight",
        "encoder.layers.0.weight": "image_trs.weight",
        "encoder.layers.1.weight": "text_trs.weight",
    }

    def make(self):
        model = FREEDOM(toy_graph("image", "text"), config=FREEDOMConfig(reg_weight=0.01))
        kept = torch.from_numpy(load_golden("FREEDOM")["state/kept_edges"])
        model.training_graph = symmetric_adjacency(kept, 60, 40)
        return model

    def test_number_of_kept_edges(self, model, golden):
        model.start_epoch(0, torch.Generator().manual_seed(0))
        assert model.training_graph.nnz == 2 * golden["state/kept_edges"].shape[1]

    def test_ten_adam_steps(self, model, golden):
        features = modalities(toy_graph("image", "text"), ["image", "text"])
        s = 0.1 * mean_graph(features[0].x) + 0.9 * mean_graph(features[1].x)
        r = torch.zeros(60, 40, dtype=torch.float64)
        r[tuple(torch.from_numpy(golden["state/kept_edges"]))] = 1.0
        a = torch.cat([torch.cat([torch.zeros(60, 60), r], 1), torch.cat([r.T, torch.zeros(40, 40)], 1)])
        scale = a.sum(1).clamp(min=1.0).rsqrt()
        a = scale[:, None] * a * scale

        def bpr(u: torch.Tensor, i: torch.Tensor, j: torch.Tensor) -> torch.Tensor:
            return -F.logsigmoid((u * i).sum(1) - (u * j).sum(1)).mean()

        def plain(p: dict[str, torch.Tensor], batch: Batch) -> torch.Tensor:
            e = torch.cat([p["user_embedding"], p["item_embedding"]])
            users, items = ((e + a @ e + a @ a @ e) / 3).split([60, 40])
            items = items + s @ p["item_embedding"]
            user, i, j = users[batch.users], batch.positives, batch.negatives
            total = bpr(user, items[i], items[j])
            for m in ("0", "1"):
                f = p[f"encoder.tables.{m}"] @ p[f"encoder.layers.{m}.weight"].T
                total = total + 0.01 * bpr(user, f[i], f[j])
            return total

        ten_steps_agree(model, plain, self.batch(golden))


def test_tables_equal_the_dense_formulas():
    data = toy_graph("image", "text")
    model = FREEDOM(data, config=FREEDOMConfig(layers=1, item_layers=2, k=4, modality_weights={"text": 0.25}))
    a = symmetric_adjacency(model.pairs, 60, 40).matrix.to_dense()
    e = torch.cat([model.user_embedding, model.item_embedding])
    s = (0.75 * mean_graph(data["item"].x_image, 4) + 0.25 * mean_graph(data["item"].x_text, 4)).float()
    users, items = ((e + a @ e) / 2).split([60, 40])
    ours = model.encode()
    torch.testing.assert_close(ours.users, users)
    torch.testing.assert_close(ours.items, items + s @ s @ model.item_embedding)


def test_every_epoch_has_its_own_training_graph_and_scores_use_the_whole_one():
    model, draw = FREEDOM(toy_graph("image")), torch.Generator().manual_seed(0)
    assert model.training_graph is model.graph
    before = model.embeddings()
    graphs = []
    for epoch in range(2):
        model.start_epoch(epoch, draw)
        graphs.append(model.training_graph.matrix.to_dense())
    assert not torch.equal(graphs[0], graphs[1])
    for ours, expected in zip(model.embeddings(), before, strict=True):
        assert torch.equal(ours, expected)
    whole = FREEDOM(toy_graph("image"), config=FREEDOMConfig(pruning=0.0))
    whole.start_epoch(0, draw)
    assert whole.training_graph is whole.graph


def test_reg_weight_scales_the_content_term_and_zero_leaves_it_out():
    terms = FREEDOM(toy_graph("image", "text")).loss(BATCH)
    assert set(terms) == {"bpr", "content"}
    doubled = FREEDOM(toy_graph("image", "text"), config=FREEDOMConfig(reg_weight=2e-3)).loss(BATCH)
    torch.testing.assert_close(doubled["content"], 2 * terms["content"])
    torch.testing.assert_close(doubled["bpr"], terms["bpr"])
    assert set(FREEDOM(toy_graph("image"), config=FREEDOMConfig(reg_weight=0.0)).loss(BATCH)) == {"bpr"}


def test_frozen_features_give_the_same_numbers_and_no_gradient():
    trained, frozen = (FREEDOM(toy_graph("image"), config=FREEDOMConfig(train_features=on)) for on in (True, False))
    for ours, theirs in zip(trained.loss(BATCH).values(), frozen.loss(BATCH).values(), strict=True):
        torch.testing.assert_close(ours, theirs)
    sum(frozen.loss(BATCH).values()).backward()
    assert frozen.encoder.tables[0].grad is None


def test_without_features_it_propagates_ids_alone():
    model = FREEDOM(toy_graph("image"), features=[])
    assert {name for name, _ in model.named_parameters()} == {"user_embedding", "item_embedding"}
    assert set(model.loss(BATCH)) == {"bpr"}
    a = model.graph.matrix.to_dense()
    e = torch.cat([model.user_embedding, model.item_embedding])
    torch.testing.assert_close(torch.cat(model.encode()), (e + a @ e + a @ a @ e) / 3)


def test_an_item_without_a_modality_takes_the_whole_weight_from_the_others():
    data = toy_graph("image", "text")
    data["item"].has_text[[1, 2]] = False
    data["item"].has_image[2] = False
    model = FREEDOM(data)
    s = model.item_graph.matrix.to_dense()
    torch.testing.assert_close(s.sum(1), (torch.arange(40) != 2).float())
    assert not s[2].any()
    assert not s[:, 2].any()
    images = mean_graph(data["item"].x_image[data["item"].has_image])
    kept = data["item"].has_image.nonzero()[:, 0]
    torch.testing.assert_close(s[1, kept].double(), images[1], rtol=1e-6, atol=1e-6)
    terms = model.loss(BATCH)
    with torch.no_grad():
        model.encoder.tables[1][[1, 2]] += 5.0  # what stands in a missing row must not matter
    for name, value in model.loss(BATCH).items():
        torch.testing.assert_close(value, terms[name])
    sum(terms.values()).backward()
    assert not model.encoder.tables[1].grad[[1, 2]].any()
    assert model.encoder.tables[1].grad[7].any()


def test_a_modality_of_weight_zero_has_no_entries():
    parts = modalities(toy_graph("image", "text"), ["image", "text"])
    alone = content_graph(parts[:1], {"image": 1.0}, 10)
    weighed = content_graph(parts, {"image": 1.0, "text": 0.0}, 10)
    assert weighed.nnz == alone.nnz
    assert torch.equal(weighed.matrix.to_dense(), alone.matrix.to_dense())


@pytest.mark.parametrize(
    ("names", "weights", "expected"),
    [
        (["text"], None, {"text": 1.0}),
        (["image"], None, {"image": 1.0}),
        (["audio", "text"], None, {"audio": 0.5, "text": 0.5}),
        (["audio", "image", "text"], None, {"audio": 0.45, "image": 0.1, "text": 0.45}),
        (["image", "text"], {"text": 1.0}, {"image": 0.0, "text": 1.0}),
        (["image", "text"], {"image": 3.0, "text": 1.0}, {"image": 0.75, "text": 0.25}),
        (["image", "text"], {}, {"image": 0.5, "text": 0.5}),
        ([], None, {}),
    ],
)
def test_modality_shares(names, weights, expected):
    assert modality_shares(names, weights) == pytest.approx(expected)


def test_an_isolated_user_keeps_its_own_row():
    data = toy_graph("image")
    data["user"].num_nodes = 61
    model = FREEDOM(data)
    torch.testing.assert_close(model.embeddings().users[60], model.user_embedding.detach()[60] / 3)


def test_errors_and_repr():
    data = toy_graph("image", "text")
    for weights, message in (
        ({"imag": 0.1}, r"unused feature \(got 'imag'\); in use: image, text"),
        ({"image": 1.5}, r"leave nothing to 'text' \(got a sum of 1.5, at most 1\)"),
        ({"image": 0.0, "text": 0.0}, "are all 0"),
    ):
        with pytest.raises(InputError, match=message):
            FREEDOM(data, config=FREEDOMConfig(modality_weights=weights))
    with pytest.raises(InputError, match="greater than or equal to 0"):
        FREEDOMConfig(modality_weights={"image": -0.1})
    with pytest.raises(InputError, match="less than 1"):
        FREEDOMConfig(pruning=1.0)
    assert repr(FREEDOM(data)) == "FREEDOM(users=60, items=40, features=['image', 'text'])"


def test_paths_of_layers_with_weights_are_not_told():
    assert FREEDOM(toy_graph(), config={"user_item_conv": "sage"}).user_paths(0) is None
    assert FREEDOM(toy_graph()).user_paths(0) is not None
