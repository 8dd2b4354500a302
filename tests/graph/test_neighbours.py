import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from alignrec_geo.errors import InputError
from alignrec_geo.graph import neighbours
from alignrec_geo.graph.neighbours import blended, cosine_neighbours, row_shares, symmetric_shares
from alignrec_geo.kernels.csr import CSR


def of(matrix: Tensor) -> CSR:
    return CSR.pattern(*matrix.nonzero(as_tuple=True), tuple(matrix.shape))


def by_the_formula(rows: Tensor, keys: Tensor, k: int, itself: bool) -> Tensor:
    squares = torch.outer(rows.sum(dim=1), keys.sum(dim=1))
    cosine = torch.where(squares > 0, rows @ keys.T / squares.clamp(min=1).sqrt(), 0.0)
    if itself:
        cosine.fill_diagonal_(0.0)
    value, place = cosine.sort(dim=1, descending=True, stable=True)
    return torch.zeros_like(cosine).scatter_(1, place[:, :k], value[:, :k])


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    users=st.integers(1, 12),
    items=st.integers(1, 9),
    share=st.sampled_from([0.0, 0.2, 0.6, 1.0]),
    k=st.integers(1, 14),
    dense=st.booleans(),
    block=st.sampled_from([1, 7, 1 << 22]),
)
def test_dense_and_sparse_blocks_give_what_the_formula_says(seed, users, items, share, k, dense, block):
    generator = torch.Generator().manual_seed(seed)
    rows = (torch.rand(users, items, generator=generator) < share).float()
    keys = (torch.rand(5, items, generator=generator) < 0.5).float()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "DENSE", -1.0 if dense else 2.0)
        patch.setattr(neighbours, "BLOCK_ENTRIES", block)
        torch.testing.assert_close(
            cosine_neighbours(of(rows), k=k).matrix.to_dense(), by_the_formula(rows, rows, k, itself=True)
        )
        torch.testing.assert_close(
            cosine_neighbours(of(rows), of(keys), k=k).matrix.to_dense(), by_the_formula(rows, keys, k, itself=False)
        )


def test_impossible_arguments_are_refused():
    rows = of(torch.ones(2, 3))
    with pytest.raises(InputError, match="k must be at least 1"):
        cosine_neighbours(rows, k=0)
    with pytest.raises(InputError, match="3 and 2 columns"):
        cosine_neighbours(rows, of(torch.ones(2, 2)))


def test_shares_and_blends():
    graph = CSR.from_coo(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 2]), torch.tensor([1.0, 3.0, 2.0]), (3, 3))
    assert row_shares(graph).matrix.to_dense().tolist() == [[0.25, 0.75, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
    assert symmetric_shares(graph).matrix.to_dense()[1, 2] == 0.0  # row 2 has no neighbour of its own
    other = CSR.from_coo(torch.tensor([0]), torch.tensor([2]), torch.ones(1), (3, 3))
    mixed = blended(graph, other, torch.tensor([0.5, 1.0, 0.0])).matrix.to_dense()
    assert mixed.tolist() == [[0.5, 1.5, 0.5], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
