"""The backends of torch-sparse and torch-scatter, where these are installed: `make test-ext`."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alignrec_geo.kernels.backends import available, implementation, use_backends
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.gather import gather_rows, reference_gather_rows
from alignrec_geo.kernels.spmm import (
    mean_propagation,
    reference_mean_propagation,
    reference_multiply,
    reference_spmm,
    spmm,
)


def installed(backend: str) -> object:
    package = backend.replace("-", "_")
    reason = f"{package} is not installed (it is built from source: make test-ext)"
    return pytest.param(backend, marks=pytest.mark.skipif(not available(backend), reason=reason))


products = pytest.mark.parametrize("backend", [installed("torch-sparse"), installed("torch-scatter")])
sums = pytest.mark.parametrize("backend", [installed("torch-scatter")])
shapes = st.tuples(st.integers(0, 99), st.integers(1, 9), st.integers(1, 9), st.integers(0, 30), st.integers(1, 5))


def drawn(seed: int, rows: int, cols: int, nnz: int, dtype: torch.dtype = torch.float64) -> CSR:
    generator = torch.Generator().manual_seed(seed)
    row, col = torch.randint(rows, (nnz,), generator=generator), torch.randint(cols, (nnz,), generator=generator)
    return CSR.from_coo(row, col, torch.rand(nnz, generator=generator, dtype=dtype), (rows, cols))


@products
@given(shapes)
@settings(max_examples=50, deadline=None)
def test_product_and_its_gradient_equal_the_reference(backend, shape):
    seed, rows, cols, nnz, width = shape
    adjacency = drawn(seed, rows, cols, nnz)
    x = torch.rand(cols, width, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(rows, width, dtype=torch.float64)
    with use_backends(spmm=backend):
        ours = spmm(adjacency, x)
        grad = torch.autograd.grad((ours * weight).sum(), x)[0]
    theirs = reference_spmm(adjacency, x)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(grad, torch.autograd.grad((theirs * weight).sum(), x)[0])


@products
@pytest.mark.parametrize("layers", [0, 1, 3])
def test_mean_propagation_and_its_gradient_equal_the_reference(backend, layers):
    adjacency = drawn(1, 12, 12, 40, torch.float32)
    x = torch.rand(12, 5, requires_grad=True)
    weight = torch.rand(12, 5)
    with use_backends(spmm=backend):
        ours = mean_propagation(adjacency, x, layers)
        grad = torch.autograd.grad((ours * weight).sum(), x)[0]
    theirs = reference_mean_propagation(adjacency, x, layers)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(grad, torch.autograd.grad((theirs * weight).sum(), x)[0])


@products
def test_base_is_added_and_the_result_written_where_asked(backend):
    adjacency = drawn(2, 5, 7, 12)
    x, base = torch.rand(7, 3, dtype=torch.float64), torch.rand(5, 3, dtype=torch.float64)
    out = torch.full_like(base, torch.nan)
    with use_backends(spmm=backend):
        result = implementation("spmm", x.device)(adjacency.matrix, x, base=base, out=out)
    assert result is out
    torch.testing.assert_close(out, reference_multiply(adjacency.matrix, x, base))


@products
def test_gradcheck(backend):
    adjacency = drawn(0, 4, 4, 8)
    x = torch.rand(4, 3, dtype=torch.float64, requires_grad=True)
    with use_backends(spmm=backend):
        assert torch.autograd.gradcheck(lambda y: spmm(adjacency, y), x)
        assert torch.autograd.gradcheck(lambda y: mean_propagation(adjacency, y, 2), x)


@sums
@given(st.integers(0, 999), st.integers(1, 12), st.integers(0, 40), st.integers(1, 9))
@settings(max_examples=50, deadline=None)
def test_gathered_rows_and_gradient_equal_the_reference(backend, seed, size, count, width):
    generator = torch.Generator().manual_seed(seed)
    table = torch.randn(size, width, generator=generator, dtype=torch.float64, requires_grad=True)
    rows = torch.randint(size, (count,), generator=generator)
    weight = torch.randn(count, width, generator=generator, dtype=torch.float64)
    with use_backends(gather=backend):
        ours = gather_rows(table, rows)
        grad = torch.autograd.grad((ours * weight).sum(), table)[0]
    theirs = reference_gather_rows(table, rows)
    assert torch.equal(ours, theirs)
    torch.testing.assert_close(grad, torch.autograd.grad((theirs * weight).sum(), table)[0])
