import math

import pytest
import torch

from alignrec_geo.probing import agreement as module
from alignrec_geo.probing.agreement import agreement, co_interaction_neighbours

PAIRS = torch.tensor([[0, 0, 1, 1, 2, 2, 3], [0, 1, 0, 1, 2, 3, 4]])  # items 0 and 1 together, 2 and 3 together


@pytest.mark.parametrize("block", [1, 1 << 23])
def test_co_interaction_neighbours_equal_the_dense_form(monkeypatch, block):
    monkeypatch.setattr(module, "BLOCK_SCORES", block)
    draw = torch.Generator().manual_seed(0)
    pairs = (torch.rand(20, 12, generator=draw) < 0.3).nonzero().T
    dense = torch.zeros(20, 12)
    dense[pairs[0], pairs[1]] = 1.0
    unit = dense / dense.norm(dim=0).clamp(min=1e-12)
    cosine = (unit.T @ unit).fill_diagonal_(0.0)
    neighbour, real = co_interaction_neighbours(pairs, 20, 12, k=3)
    torch.testing.assert_close(cosine.gather(1, neighbour), cosine.sort(dim=1, descending=True)[0][:, :3])
    assert torch.equal(real, cosine.gather(1, neighbour) > 0)


def test_known_agreement():
    # items 0..3 have one co-interaction neighbour each, item 4 none
    perfect = torch.tensor([[1], [0], [3], [2], [0]])
    assert agreement(perfect, PAIRS, 4, 5, k=1) == 1.0
    half = torch.tensor([[1], [0], [4], [4], [0]])
    assert agreement(half, PAIRS, 4, 5, k=1) == 0.5


def test_nobody_shares_anything():
    alone = torch.tensor([[0, 1], [0, 1]])
    assert math.isnan(agreement(torch.tensor([[1], [0]]), alone, 2, 2, k=1))
