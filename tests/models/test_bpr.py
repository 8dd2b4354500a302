import pytest
import torch
import torch.nn.functional as F

from alignrec_geo.errors import InputError
from alignrec_geo.models import BPRMF, Batch, BPRMFConfig
from alignrec_geo.testing import KnownAnswers
from tests.golden_numbers import toy_graph
from tests.models.golden_parity import GoldenParity, ten_steps_agree

BATCH = Batch(torch.tensor([0, 3, 5, 3]), torch.tensor([1, 2, 7, 9]), torch.tensor([4, 8, 11, 30]), nominal_size=8)


class TestKnownAnswers(KnownAnswers):
    model = BPRMF
    config = {"dim": 16}


class TestParity(GoldenParity):
    file = "BPR"
    names = {"user_embedding": "user_embedding.weight", "item_embedding": "item_embedding.weight"}

    def make(self):
        return BPRMF(toy_graph(), config=BPRMFConfig(reg_weight=0.1))

    def test_ten_adam_steps(self, model, golden):
        def plain(p: dict[str, torch.Tensor], batch: Batch) -> torch.Tensor:
            u, i, j = (
                p["user_embedding"][batch.users],
                p["item_embedding"][batch.positives],
                p["item_embedding"][batch.negatives],
            )
            bpr = -F.logsigmoid((u * i).sum(1) - (u * j).sum(1)).mean()
            return bpr + 0.1 * (u.norm() + i.norm() + j.norm()) / len(u)

        ten_steps_agree(model, plain, self.batch(golden))


def test_the_terms_and_their_weight():
    light, heavy = (BPRMF(toy_graph(), config=BPRMFConfig(reg_weight=weight)).loss(BATCH) for weight in (0.5, 1.5))
    assert light.keys() == {"bpr", "reg"}
    assert float(heavy["bpr"]) == float(light["bpr"])
    assert float(heavy["reg"]) == pytest.approx(3 * float(light["reg"]))


def test_tables_do_not_change_when_training_goes_on():
    model = BPRMF(toy_graph())
    before = model.embeddings()
    kept = before.users.clone()
    assert not before.users.requires_grad
    with torch.no_grad():
        model.user_embedding += 1.0
    assert torch.equal(before.users, kept)


def test_xavier_scales_of_the_separate_tables():
    model = BPRMF(toy_graph(), config=BPRMFConfig(dim=256))
    assert float(model.user_embedding.std()) == pytest.approx((2 / (60 + 256)) ** 0.5, rel=0.03)
    assert float(model.item_embedding.std()) == pytest.approx((2 / (40 + 256)) ** 0.5, rel=0.03)


def test_errors_and_repr():
    with pytest.raises(InputError, match="dim"):
        BPRMFConfig(dim=0)
    with pytest.raises(InputError, match="reg_weight"):
        BPRMFConfig(reg_weight=-1)
    assert BPRMF(toy_graph(), features=["image"]).features == ()
    assert repr(BPRMF(toy_graph())) == "BPRMF(users=60, items=40)"
