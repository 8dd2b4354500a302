import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alignrec_geo.kernels.backends import use_backends
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.spmm import (
    in_tiles,
    mean_propagation,
    multiply,
    reference_mean_propagation,
    reference_multiply,
    reference_spmm,
    spmm,
)


def drawn(seed: int, rows: int, cols: int, nnz: int) -> CSR:
    generator = torch.Generator().manual_seed(seed)
    row = torch.randint(rows, (nnz,), generator=generator)
    col = torch.randint(cols, (nnz,), generator=generator)
    return CSR.from_coo(row, col, torch.rand(nnz, generator=generator, dtype=torch.float64), (rows, cols))


shapes = st.tuples(st.integers(0, 99), st.integers(1, 9), st.integers(1, 9), st.integers(0, 30), st.integers(1, 5))


@pytest.mark.parametrize("backend", ["torch", "reference"])
@given(shapes)
@settings(max_examples=50, deadline=None)
def test_product_and_its_gradient_equal_the_reference(backend, shape):
    seed, rows, cols, nnz, width = shape
    adjacency = drawn(seed, rows, cols, nnz)
    x = torch.rand(cols, width, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(rows, width, dtype=torch.float64)
    with use_backends(spmm=backend):
        fast, slow = spmm(adjacency, x), reference_spmm(adjacency, x)
        torch.testing.assert_close(fast, slow)
        grads = [torch.autograd.grad((y * weight).sum(), x)[0] for y in (fast, slow)]
    torch.testing.assert_close(*grads)


@pytest.mark.parametrize("backend", ["torch", "reference"])
@given(shapes, st.integers(0, 4))
@settings(max_examples=50, deadline=None)
def test_mean_propagation_and_its_gradient_equal_the_reference(backend, shape, layers):
    seed, rows, _, nnz, width = shape
    adjacency = drawn(seed, rows, rows, nnz)
    x = torch.rand(rows, width, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(rows, width, dtype=torch.float64)
    with use_backends(spmm=backend):
        fast, slow = mean_propagation(adjacency, x, layers), reference_mean_propagation(adjacency, x, layers)
        torch.testing.assert_close(fast, slow)
        grads = [torch.autograd.grad((y * weight).sum(), x)[0] for y in (fast, slow)]
    torch.testing.assert_close(*grads)


@pytest.mark.parametrize("width", [128, 150, 256])
@pytest.mark.parametrize("with_base", [False, True])
@pytest.mark.parametrize("with_out", [False, True])
def test_wide_rows_of_a_dense_graph_go_in_tiles(width, with_base, with_out):
    matrix = drawn(3, 200, 30, 4_000).matrix
    assert in_tiles(matrix, width)
    x, base = torch.rand(30, width, dtype=torch.float64), torch.rand(200, width, dtype=torch.float64)
    out = torch.full((200, width), float("nan"), dtype=torch.float64) if with_out else None
    found = multiply(matrix, x, base if with_base else None, out)
    torch.testing.assert_close(found, matrix.to_dense() @ x + (base if with_base else 0.0))
    assert out is None or found.data_ptr() == out.data_ptr()


def test_few_edges_or_narrow_rows_go_in_one_piece():
    matrix = drawn(3, 200, 30, 4_000).matrix
    assert in_tiles(matrix, 128)
    assert not in_tiles(matrix, 127)
    assert not in_tiles(drawn(3, 200, 30, 1_000).matrix, 128)


def test_gradcheck():
    adjacency = drawn(0, 4, 4, 8)
    x = torch.rand(4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda y: spmm(adjacency, y), x)
    assert torch.autograd.gradcheck(lambda y: mean_propagation(adjacency, y, 2), x)


def test_wrong_number_of_rows():
    with pytest.raises(ValueError, match=r"x must have 4 rows.*\(got \(3, 2\)\)"):
        spmm(drawn(0, 5, 4, 3), torch.zeros(3, 2))


@pytest.mark.parametrize("run", [multiply, reference_multiply])
@pytest.mark.parametrize("with_base", [False, True])
def test_a_product_is_written_where_it_is_asked_for(run, with_base):
    graph = CSR.from_coo(torch.tensor([0, 1]), torch.tensor([1, 0]), torch.tensor([2.0, 3.0]), (2, 2))
    x, out = torch.tensor([[1.0], [10.0]]), torch.full((2, 1), -1.0)
    base = torch.tensor([[100.0], [200.0]]) if with_base else None
    expected = [[120.0], [203.0]] if with_base else [[20.0], [3.0]]
    assert run(graph.matrix, x, base, out) is out
    assert out.tolist() == expected
    assert run(graph.matrix, x, base).tolist() == expected
