import pytest
import torch

from alignrec_geo.graph.adjacency import bipartite_adjacency
from alignrec_geo.graph.spectral import spectral_tables


@pytest.mark.parametrize(("users", "items", "dim"), [(40, 30, 8), (12, 50, 12), (50, 9, 16)])
def test_products_are_the_best_approximation_of_that_rank(users, items, dim):
    generator = torch.Generator().manual_seed(1)
    pairs = (torch.rand(users, items, generator=generator) < 0.3).nonzero().T.contiguous()
    block = bipartite_adjacency(pairs, users, items)
    tables = spectral_tables(block, dim, generator)
    rank = min(dim, users, items)
    assert tables.users.shape == (users, rank)
    left, values, right = torch.linalg.svd(block.matrix.to_dense(), full_matrices=False)
    best = left[:, :rank] * values[:rank] @ right[:rank]
    exact = float((block.matrix.to_dense() - best).norm())
    ours = float((block.matrix.to_dense() - tables.users @ tables.items.T).norm())
    assert ours == pytest.approx(exact, rel=1e-3, abs=1e-4)
    torch.testing.assert_close(tables.users.norm(dim=0), values[:rank].sqrt(), rtol=1e-2, atol=1e-3)


def test_nodes_without_a_pair_have_zero_rows():
    block = bipartite_adjacency(torch.tensor([[0, 1], [0, 1]]), 3, 3)
    tables = spectral_tables(block, 2, torch.Generator().manual_seed(0))
    assert float(tables.users[2].norm()) < 1e-6
    assert float(tables.items[2].norm()) < 1e-6
