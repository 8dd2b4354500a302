import math

import pytest
import torch

from alignrec_geo.nn.losses import bpr, l2_penalty, user_item_alignment


def test_bpr_known_values():
    user = torch.tensor([[1.0, 0.0]])
    positive, negative = torch.tensor([[2.0, 0.0]]), torch.tensor([[-1.0, 5.0]])
    assert float(bpr(user, positive, negative)) == pytest.approx(math.log(1 + math.exp(-3)))
    assert float(bpr(user, positive, positive)) == pytest.approx(math.log(2))


def test_bpr_does_not_overflow():
    assert math.isfinite(float(bpr(torch.full((1, 1), 1e4), torch.full((1, 1), -1.0), torch.ones(1, 1))))


def test_alignment_known_values():
    user = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
    assert float(user_item_alignment(user, 3 * user)) == pytest.approx(0.0, abs=1e-6)
    assert float(user_item_alignment(user, -user)) == pytest.approx(2.0)
    assert float(user_item_alignment(user, user.flip(1))) == pytest.approx(1.0)


def test_l2_divides_by_the_configured_batch_size():
    rows = torch.full((3, 2), 2.0)
    assert float(l2_penalty(rows, rows, batch_size=4)) == pytest.approx(2 * 3 * 2 * 4 / 2 / 4)
