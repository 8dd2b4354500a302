"""Matrices with 64-bit row pointers, made small by a lower limit, equal those with 32-bit ones to the last bit."""

import numpy as np
import pytest
import torch

from alignrec_geo.kernels import compressed
from alignrec_geo.kernels.backends import available, use_backends
from alignrec_geo.kernels.compressed import csr_tensor
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.edge_pattern import EdgePattern
from alignrec_geo.kernels.edges import edge_dot, edge_softmax, gather_columns, weighted_spmm
from alignrec_geo.kernels.row_blocks import row_blocks
from alignrec_geo.kernels.spmm import mean_propagation, multiply, spmm
from alignrec_geo.kernels.topk import blocked_top_k

BACKENDS = [
    pytest.param(name, marks=pytest.mark.skipif(not available(name), reason=f"{name} is not installed"))
    for name in ("torch", "reference", "torch-sparse", "torch-scatter")
]


def drawn() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, tuple[int, int]]:
    generator = torch.Generator().manual_seed(0)
    row, col = (torch.randint(30, (200,), generator=generator) for _ in range(2))
    return row, col, torch.rand(200, generator=generator), (30, 30)


@pytest.fixture
def both(monkeypatch):
    narrow = CSR.from_coo(*drawn())
    monkeypatch.setattr(compressed, "POINTER_LIMIT", 17)
    wide = CSR.from_coo(*drawn())
    assert (narrow.matrix.crow_indices().dtype, wide.matrix.crow_indices().dtype) == (torch.int32, torch.int64)
    assert wide.matrix.col_indices().dtype == torch.int32
    return narrow, wide


def test_blocks_share_columns_and_values_and_stay_below_the_limit(both):
    wide = both[1].matrix
    blocks = row_blocks(wide)
    assert len(blocks) > 5
    assert [rows.start for rows, _ in blocks] == [0, *(rows.stop for rows, _ in blocks[:-1])]
    assert blocks[-1][0].stop == 30
    for rows, block in blocks:
        assert block.crow_indices().dtype == torch.int32
        assert block.values().numel() <= 17 or rows.stop - rows.start == 1
        assert block.values().untyped_storage().data_ptr() == wide.values().untyped_storage().data_ptr()
        assert block.col_indices().untyped_storage().data_ptr() == wide.col_indices().untyped_storage().data_ptr()
    assert row_blocks(wide) is blocks


@pytest.mark.parametrize("backend", BACKENDS)
def test_products_and_gradients(both, backend):
    x = torch.rand(30, 5, generator=torch.Generator().manual_seed(1), requires_grad=True)
    found = []
    with use_backends(spmm=backend):
        for graph in both:
            y, mean = spmm(graph, x), mean_propagation(graph, x, 3)
            found.append([y, mean, *torch.autograd.grad((y * mean).sum(), x)])
    assert all(torch.equal(*pair) for pair in zip(*found, strict=True))


def test_base_and_out(both):
    x, base = torch.rand(30, 5), torch.rand(30, 5)
    results = [multiply(graph.matrix, x, base, torch.empty(30, 5)) for graph in both]
    assert torch.equal(*results)


def test_parts_that_other_code_reads(both):
    narrow, wide = both
    for ours, theirs in zip(
        (*wide.edges(), *wide.entries(torch.tensor([3, 0]))),
        (*narrow.edges(), *narrow.entries(torch.tensor([3, 0]))),
        strict=True,
    ):
        assert torch.equal(ours, theirs)
    assert torch.equal(wide.matrix.to_dense(), narrow.matrix.to_dense())
    assert wide.map(torch.Tensor.double).matrix.crow_indices().dtype == torch.int64
    tables = torch.rand(30, 4), torch.rand(30, 4)
    ranked = [list(blocked_top_k(*tables, torch.arange(30), 5, graph)) for graph in both]
    assert str(ranked[0]) == str(ranked[1])


def test_weights_of_edges(monkeypatch):
    row, col, weight, shape = drawn()
    found = []
    for limit in (200, 17):
        monkeypatch.setattr(compressed, "POINTER_LIMIT", limit)
        pattern = EdgePattern.from_coo(row, col, shape)
        x = torch.rand(30, 4, generator=torch.Generator().manual_seed(1), requires_grad=True)
        value = weight[: pattern.nnz].clone().requires_grad_()
        at_edges = edge_softmax(pattern, value) + edge_dot(pattern, x, x) + gather_columns(pattern, x[:, 0])
        y = weighted_spmm(pattern, at_edges, x)
        found.append([y, pattern.T.col, *torch.autograd.grad(y.sum(), (value, x))])
    assert all(torch.equal(*pair) for pair in zip(*found, strict=True))


@pytest.mark.slow  # reads 2³¹ columns; memory that only zeros are read from takes none
def test_more_than_two_to_the_31_entries():
    rows, length = 2_050, 1 << 20
    entries = rows * length
    assert entries > 2**31
    col, value = (torch.from_numpy(np.zeros(entries, dtype)) for dtype in (np.int32, np.float32))
    col[-2], value[-2], value[-1] = 1, 3.0, 5.0
    crow = torch.arange(rows + 1) * length
    matrix = csr_tensor(crow, col, value, (rows, 2))
    product = multiply(matrix, torch.tensor([[1.0], [10.0]]))
    assert [block.values().numel() for _, block in row_blocks(matrix)] == [2047 * length, 3 * length]
    assert product[-1].item() == 35.0
    assert not product[:-1].any()
