import pytest
import torch
import torch.nn.functional as F

from alignrec_geo.kernels.csr import CSR
from alignrec_geo.probing import item_cf
from alignrec_geo.probing.item_cf import item_cf_ranking, item_neighbours


def drawn(n: int = 30, width: int = 5) -> torch.Tensor:
    return F.normalize(torch.randn(n, width, generator=torch.Generator().manual_seed(0)), dim=1)


def test_neighbours_equal_the_dense_form():
    x = drawn()
    cosine = (x @ x.T).fill_diagonal_(-torch.inf)
    expected, columns = cosine.sort(dim=1, descending=True, stable=True)
    similarity, neighbour = item_neighbours(x, 4)
    torch.testing.assert_close(similarity, expected[:, :4])
    assert torch.equal(neighbour, columns[:, :4])


def test_an_item_is_never_its_own_neighbour_even_among_equal_items():
    similarity, neighbour = item_neighbours(torch.ones(6, 2), 2)
    assert neighbour.shape == similarity.shape == (6, 2)
    assert not (neighbour == torch.arange(6)[:, None]).any()


def test_fewer_items_than_neighbours():
    assert item_neighbours(drawn(3), 10)[1].shape == (3, 2)


@pytest.mark.parametrize("block", [1, 1 << 23])
def test_ranking_equals_the_dense_product(monkeypatch, block):
    monkeypatch.setattr(item_cf, "BLOCK_SCORES", block)
    x, n_users = drawn(), 12
    pairs = (torch.rand(n_users, 30, generator=torch.Generator().manual_seed(1)) < 0.2).nonzero().T
    history = CSR.pattern(pairs[0], pairs[1], (n_users, 30))
    similarity, neighbour = item_neighbours(x, 4)
    graph = torch.zeros(30, 30).scatter_(1, neighbour, similarity)
    dense = torch.zeros(n_users, 30)
    dense[pairs[0], pairs[1]] = 1.0
    scores = (dense @ graph).masked_fill(dense > 0, -torch.inf)
    users = torch.tensor([0, 3, 7, 11])
    blocks = list(item_cf_ranking(history, history, similarity, neighbour, users, 6))
    assert torch.equal(torch.cat([part[0] for part in blocks]), users)
    values = torch.cat([part[1] for part in blocks])
    torch.testing.assert_close(values, scores[users].sort(dim=1, descending=True, stable=True)[0][:, :6])
