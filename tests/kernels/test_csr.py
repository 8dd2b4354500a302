import pytest
import torch

from alignrec_geo.errors import InputError
from alignrec_geo.kernels import csr
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.spmm import spmm


def small() -> CSR:
    row, col = torch.tensor([2, 0, 0]), torch.tensor([1, 3, 0])
    return CSR.from_coo(row, col, torch.tensor([5.0, 2.0, 1.0]), (3, 4))


def test_both_directions_hold_the_same_entries():
    matrix = small()
    dense = torch.tensor([[1.0, 0, 0, 2], [0, 0, 0, 0], [0, 5, 0, 0]])
    assert torch.equal(matrix.matrix.to_dense(), dense)
    assert torch.equal(matrix.transposed.to_dense(), dense.T)
    assert torch.equal(matrix.T.matrix.to_dense(), dense.T)
    assert matrix.shape == (3, 4)
    assert matrix.nnz == 3
    assert repr(matrix) == "CSR(shape=(3, 4), nnz=3)"


def test_indices_are_32_bit():
    assert small().matrix.col_indices().dtype == torch.int32
    assert small().matrix.crow_indices().dtype == torch.int32


def test_entries_given_twice_are_added():
    matrix = CSR.from_coo(torch.tensor([0, 0]), torch.tensor([1, 1]), torch.tensor([1.0, 2.5]), (1, 2))
    assert matrix.matrix.to_dense().tolist() == [[0.0, 3.5]]


def test_edges_round_trip():
    (source, target), weight = small().edges()
    again = CSR.from_coo(target, source, weight, (3, 4))
    assert torch.equal(again.matrix.to_dense(), small().matrix.to_dense())


def test_symmetric_is_stored_once_and_moves_as_one():
    matrix = CSR.from_coo(torch.tensor([0, 1]), torch.tensor([1, 0]), torch.ones(2), (2, 2), symmetric=True)
    assert matrix.transposed is matrix.matrix
    moved = matrix.map(torch.Tensor.double)
    assert moved.transposed is moved.matrix
    assert small().map(torch.Tensor.double).transposed.dtype == torch.float64


def test_too_large_for_32_bits_is_a_clear_error(monkeypatch):
    monkeypatch.setattr(csr, "INT32_MAX", 3)
    with pytest.raises(InputError, match="exceeds 32-bit row and column numbers"):
        small()


def test_empty_matrix():
    none = torch.empty(0, dtype=torch.long)
    matrix = CSR.from_coo(none, none, torch.empty(0), (2, 3))
    assert torch.equal(matrix.matrix.to_dense(), torch.zeros(2, 3))


def test_pygs_edge_index_goes_in_as_it_comes_out():
    edge_index = torch.tensor([[2, 0, 1], [0, 1, 1]])  # sources, targets
    matrix = CSR.from_edge_index(edge_index, torch.tensor([0.5, 2.0, 3.0]), size=(3, 2))
    assert matrix.shape == (2, 3)
    again, weight = matrix.edges()
    assert sorted(zip(*again.tolist(), weight.tolist(), strict=True)) == [(0, 1, 2.0), (1, 1, 3.0), (2, 0, 0.5)]
    x = torch.arange(6.0).view(3, 2)
    passed = torch.zeros(2, 2).index_add_(0, edge_index[1], x[edge_index[0]])  # what PyG's message passing adds up
    assert torch.equal(spmm(CSR.from_edge_index(edge_index, None, (3, 2)), x), passed)


def test_parts_on_two_devices_are_refused():
    rows = torch.tensor([0, 1])
    with pytest.raises(InputError, match=r"must be on one device \(got cpu, cpu, meta\)"):
        CSR.from_coo(rows, rows, torch.ones(2, device="meta"), (2, 2))
