import numpy as np
import pytest
import torch
import torch.nn.functional as F

from alignrec_geo.errors import InputError
from alignrec_geo.models import VBPR, Batch, VBPRConfig
from alignrec_geo.testing import KnownAnswers
from tests.golden_numbers import load_golden, toy_graph
from tests.models.golden_parity import GoldenParity, ten_steps_agree

BATCH = Batch(torch.tensor([0, 3, 5, 3]), torch.tensor([1, 2, 7, 9]), torch.tensor([4, 8, 11, 30]), nominal_size=8)


class TestKnownAnswers(KnownAnswers):
    model = VBPR
    ranks_cold_items = True
    config = {"dim": 16}


class TestParity(GoldenParity):
    file = "VBPR"
    names = {
        "user_embedding": "u_embedding",
        "item_embedding": "i_embedding",
        "projection.weight": "item_linear.weight",
        "projection.bias": "item_linear.bias",
    }

    def make(self):
        return VBPR(toy_graph("text", "image"), features=["text", "image"], config=VBPRConfig(reg_weight=0.1))

    def test_ten_adam_steps(self, model, golden):
        toy = load_golden("toy_data")
        f = torch.from_numpy(np.hstack([toy["text_feat"], toy["image_feat"]])).double()

        def plain(p: dict[str, torch.Tensor], batch: Batch) -> torch.Tensor:
            v = torch.cat([p["item_embedding"], f @ p["projection.weight"].T + p["projection.bias"]], dim=1)
            u, i, j = p["user_embedding"][batch.users], v[batch.positives], v[batch.negatives]
            bpr = -F.logsigmoid((u * i).sum(1) - (u * j).sum(1)).mean()
            return bpr + 0.1 * (u.norm() + i.norm() + j.norm()) / len(u)

        ten_steps_agree(model, plain, self.batch(golden))


def test_an_item_without_a_modality_is_projected_from_the_others():
    data = toy_graph("image", "text")
    data["item"].has_image[1] = False
    data["item"].x_image[1] = float("nan")  # what stands in a missing row must not matter
    model = VBPR(data)
    width = data["item"].x_image.shape[1]
    with torch.no_grad():
        model.projection.bias.fill_(0.5)
    expected = data["item"].x_text[1] @ model.projection.weight[:, width:].T + 0.5
    torch.testing.assert_close(model.encode().items[1, 64:], expected)


def test_an_item_without_content_has_zeros_and_passes_no_gradient():
    data = toy_graph()
    data["item"].has_image[[1, 2]] = False
    model = VBPR(data)
    with torch.no_grad():
        model.projection.bias.fill_(0.5)
    items = model.encode().items
    assert not items[[1, 2], 64:].any()
    assert items[[1, 2], :64].any()
    alone = Batch(torch.tensor([0, 3]), torch.tensor([1, 2]), torch.tensor([2, 1]), nominal_size=8)
    sum(model.loss(alone).values()).backward()
    assert not model.projection.bias.grad.any()
    assert not model.projection.weight.grad.any()
    assert model.item_embedding.grad[1].any()


def test_the_rows_of_a_batch_are_those_of_the_whole_table():
    data = toy_graph("image", "text")
    data["item"].has_image[[1, 8]] = False
    data["item"].has_text[8] = False
    model = VBPR(data, config=VBPRConfig(reg_weight=1.0))
    users, items = model.encode()
    u, i, j = users[BATCH.users], items[BATCH.positives], items[BATCH.negatives]
    terms = model.loss(BATCH)
    torch.testing.assert_close(terms["bpr"], -F.logsigmoid((u * i).sum(1) - (u * j).sum(1)).mean())
    torch.testing.assert_close(terms["reg"], (u.norm() + i.norm() + j.norm()) / 4)


def test_row_scaling_takes_the_scale_out():
    data, louder = toy_graph(), toy_graph()
    louder["item"].x_image *= 1000.0
    config = VBPRConfig(feature_scaling="row")
    for ours, theirs in zip(VBPR(data, config=config).encode(), VBPR(louder, config=config).encode(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_first_values():
    model = VBPR(toy_graph(), config=VBPRConfig(dim=128))
    width = toy_graph()["item"].x_image.shape[1]
    assert model.user_embedding.shape == (60, 256)
    assert float(model.user_embedding.abs().max()) == pytest.approx((6 / (60 + 256)) ** 0.5, rel=0.02)
    assert float(model.item_embedding.abs().max()) == pytest.approx((6 / (40 + 128)) ** 0.5, rel=0.02)
    assert float(model.projection.weight.std()) == pytest.approx((2 / (width + 128)) ** 0.5, rel=0.05)
    assert not model.projection.bias.any()


def test_the_features_are_not_trained_and_not_saved():
    model = VBPR(toy_graph())
    assert "content" not in model.state_dict()
    assert "content" not in dict(model.named_parameters())


def test_errors_and_repr():
    with pytest.raises(InputError, match=r"VBPR needs at least one feature matrix \(got none\)"):
        VBPR(toy_graph(), features=[])
    with pytest.raises(InputError, match="feature_scaling"):
        VBPRConfig(feature_scaling="column")
    assert repr(VBPR(toy_graph())) == "VBPR(users=60, items=40, features=['image'])"
