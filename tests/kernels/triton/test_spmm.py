import gc

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alignrec_geo.kernels import compressed
from alignrec_geo.kernels.backends import use_backends
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.spmm import (
    mean_propagation,
    reference_mean_propagation,
    reference_multiply,
    reference_spmm,
    spmm,
)
from alignrec_geo.kernels.triton import spmm as kernels


def drawn(seed, rows, cols, nnz, device, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    row, col = torch.randint(rows, (nnz,), generator=generator), torch.randint(cols, (nnz,), generator=generator)
    value = torch.rand(nnz, generator=generator, dtype=dtype)
    return CSR.from_coo(row.to(device), col.to(device), value.to(device), (rows, cols))


def power_law(device, dtype=torch.float64):
    """Rows of 0, 1, 2, … 33 and of 200 entries: both kernels, full and partly filled programs."""
    counts = torch.tensor([0, 1, 2, 3, 4, 5, 8, 9, 16, 17, 31, 32, 33, 64, 65, 200, 0])
    row = torch.repeat_interleave(torch.arange(len(counts)), counts)
    col = torch.cat([torch.arange(int(count)) for count in counts])
    value = torch.rand(len(row), generator=torch.Generator().manual_seed(0), dtype=dtype)
    return CSR.from_coo(row.to(device), col.to(device), value.to(device), (len(counts), 200))


shapes = st.tuples(st.integers(0, 99), st.integers(1, 20), st.integers(1, 9), st.integers(0, 40), st.integers(1, 19))


@given(shapes)
@settings(max_examples=6, deadline=None)
def test_product_and_its_gradient_equal_the_reference(device, shape):
    seed, rows, cols, nnz, width = shape
    adjacency = drawn(seed, rows, cols, nnz, device)
    x = torch.rand(cols, width, dtype=torch.float64, device=device, requires_grad=True)
    weight = torch.rand(rows, width, dtype=torch.float64, device=device)
    with use_backends(spmm="triton"):
        ours = spmm(adjacency, x)
        grad = torch.autograd.grad((ours * weight).sum(), x)[0]
    theirs = reference_spmm(adjacency, x)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(grad, torch.autograd.grad((theirs * weight).sum(), x)[0])


@given(shapes, st.integers(0, 3))
@settings(max_examples=4, deadline=None)
def test_mean_propagation_and_its_gradient_equal_the_reference(device, shape, layers):
    seed, rows, _, nnz, width = shape
    adjacency = drawn(seed, rows, rows, nnz, device)
    x = torch.rand(rows, width, dtype=torch.float64, device=device, requires_grad=True)
    weight = torch.rand(rows, width, dtype=torch.float64, device=device)
    with use_backends(spmm="triton"):
        ours = mean_propagation(adjacency, x, layers)
        grad = torch.autograd.grad((ours * weight).sum(), x)[0]
    theirs = reference_mean_propagation(adjacency, x, layers)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(grad, torch.autograd.grad((theirs * weight).sum(), x)[0])


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "width"), [(torch.float32, 64), (torch.float64, 130)])
def test_rows_of_every_length(device, dtype, width):
    adjacency = power_law(device, dtype)
    generator = torch.Generator().manual_seed(0)
    for matrix in (adjacency.matrix, adjacency.transposed):
        x, base = (torch.randn(rows, width, generator=generator, dtype=dtype).to(device) for rows in matrix.shape[::-1])
        exact = reference_multiply(matrix.double(), x.double())
        assert float((kernels.multiply(matrix, x) - exact).abs().max()) <= 1e-5 * float(exact.abs().max())
        out = torch.full_like(base, torch.nan)
        assert kernels.multiply(matrix, x, base, out) is out
        exact += base
        assert float((out - exact).abs().max()) <= 1e-5 * float(exact.abs().max())
        assert torch.equal(kernels.multiply(matrix, x, base), out)  # the same bits again


def test_each_row_runs_once_in_order_of_its_length_class(device):
    rows = kernels.plan(power_law(device).matrix)
    assert rows.short.tolist() == [0, 1, 16, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]  # stable within a class
    assert rows.part_row.tolist() == [15, 14, 13, 12]  # longest first
    assert rows.part_slot.tolist() == [-1] * 4
    assert rows.slots == 0


def test_popular_rows_are_split(device, monkeypatch):
    monkeypatch.setattr(kernels, "PART", 64)
    matrix = power_law(device).matrix
    rows = kernels.plan(matrix)
    assert rows.part_row.tolist() == [15, 15, 15, 15, 14, 14, 13, 12]
    assert rows.part_start.tolist() == [0, 64, 128, 192, 0, 64, 0, 0]
    assert rows.part_slot.tolist() == [0, 1, 2, 3, 4, 5, -1, -1]
    assert rows.split_row.tolist() == [15, 14]
    assert rows.split_start.tolist() == [0, 4, 6]
    x = torch.randn(200, 5, dtype=torch.float64, device=device)
    base = torch.randn(matrix.shape[0], 5, dtype=torch.float64, device=device)
    torch.testing.assert_close(kernels.multiply(matrix, x, base), reference_multiply(matrix, x, base))
    torch.testing.assert_close(kernels.multiply(matrix, x), reference_multiply(matrix, x))


@pytest.mark.slow
def test_row_pointers_of_64_bits(device, monkeypatch):
    narrow = power_law(device)
    monkeypatch.setattr(compressed, "POINTER_LIMIT", 100)
    wide = power_law(device)
    assert wide.matrix.crow_indices().dtype == torch.int64
    monkeypatch.setattr(kernels, "PART", 64)
    x = torch.randn(200, 5, dtype=torch.float64, device=device)
    assert torch.equal(kernels.multiply(wide.matrix, x), kernels.multiply(narrow.matrix, x))
    assert torch.equal(kernels.multiply(wide.transposed, x[:17]), kernels.multiply(narrow.transposed, x[:17]))


def test_plans_are_kept_as_long_as_their_matrix(device):
    before = len(kernels._plans)
    matrix = power_law(device).matrix
    first = kernels.plan(matrix)
    assert kernels.plan(matrix) is first
    assert len(kernels._plans) == before + 1
    del matrix
    gc.collect()
    assert len(kernels._plans) == before


def test_views_are_read_as_they_are(device):
    matrix = drawn(3, 6, 4, 12, device).matrix
    x = torch.randn(5, 4, dtype=torch.float64, device=device).T
    torch.testing.assert_close(kernels.multiply(matrix, x), reference_multiply(matrix, x))


def test_no_columns(device):
    assert kernels.multiply(drawn(0, 3, 2, 2, device).matrix, torch.ones(2, 0, device=device)).shape == (3, 0)


def test_gradcheck(device):
    adjacency = drawn(0, 4, 4, 8, device)
    x = torch.rand(4, 3, dtype=torch.float64, device=device, requires_grad=True)
    with use_backends(spmm="triton"):
        assert torch.autograd.gradcheck(lambda y: spmm(adjacency, y), x, fast_mode=True)
        assert torch.autograd.gradcheck(lambda y: mean_propagation(adjacency, y, 2), x, fast_mode=True)
