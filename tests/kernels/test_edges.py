import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from alignrec_geo.kernels.backends import use_backends
from alignrec_geo.kernels.edge_pattern import EdgePattern
from alignrec_geo.kernels.edges import (
    edge_dot,
    edge_softmax,
    gather_columns,
    reference_edge_dot,
    reference_edge_softmax,
    reference_weighted_spmm,
    row_sum,
    weighted_spmm,
)

shapes = st.tuples(st.integers(0, 999), st.integers(1, 9), st.integers(1, 9), st.integers(0, 30), st.integers(1, 5))


def drawn(seed: int, rows: int, cols: int, edges: int) -> EdgePattern:
    """Some rows are empty, some pairs are drawn twice."""
    generator = torch.Generator().manual_seed(seed)
    row, col = (torch.randint(size, (edges,), generator=generator) for size in (rows, cols))
    return EdgePattern.from_coo(row, col, (rows, cols), torch.float64)


def noise(*shape: int, scale: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return (scale * torch.randn(*shape, generator=generator, dtype=torch.float64)).requires_grad_()


def assert_same(fast: Tensor, slow: Tensor, *inputs: Tensor) -> None:
    """The values agree, and so do the gradients of a weighted sum of them."""
    torch.testing.assert_close(fast, slow)
    weight = noise(*fast.shape).detach()
    grads = [torch.autograd.grad((y * weight).sum(), inputs) for y in (fast, slow)]
    for ours, theirs in zip(*grads, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("backend", ["torch", "reference"])
@given(shapes)
@settings(max_examples=50, deadline=None)
def test_weighted_product_equals_the_reference(backend, shape):
    seed, rows, cols, edges, width = shape
    pattern = drawn(seed, rows, cols, edges)
    weight, x = noise(pattern.nnz), noise(cols, width)
    with use_backends(spmm=backend):
        assert_same(weighted_spmm(pattern, weight, x), reference_weighted_spmm(pattern, weight, x.clone()), weight, x)


@given(shapes)
@settings(max_examples=50, deadline=None)
def test_dot_equals_the_reference(shape):
    seed, rows, cols, edges, width = shape
    pattern = drawn(seed, rows, cols, edges)
    a, b = noise(rows, width), noise(cols, width)
    assert_same(edge_dot(pattern, a, b), reference_edge_dot(pattern, a, b), a, b)


@given(shapes, st.sampled_from([0.1, 10.0, 1000.0]))
@settings(max_examples=50, deadline=None)
def test_softmax_equals_the_reference(shape, scale):
    seed, rows, cols, edges, _ = shape
    pattern = drawn(seed, rows, cols, edges)
    logits = noise(pattern.nnz, scale=scale)
    assert_same(edge_softmax(pattern, logits), reference_edge_softmax(pattern, logits), logits)


@given(shapes)
@settings(max_examples=50, deadline=None)
def test_sums_and_values_of_edges_equal_indexing(shape):
    seed, rows, cols, edges, _ = shape
    pattern = drawn(seed, rows, cols, edges)
    of_edges, of_columns = noise(pattern.nnz), noise(cols)
    summed = of_edges.new_zeros(rows).index_add(0, pattern.row, of_edges)
    assert_same(row_sum(pattern, of_edges), summed, of_edges)
    assert_same(gather_columns(pattern, of_columns), of_columns[pattern.col], of_columns)


def test_gradcheck():
    pattern = drawn(0, 5, 4, 9)
    weight, x, a = noise(pattern.nnz), noise(4, 3), noise(5, 3)
    assert torch.autograd.gradcheck(lambda w, y: weighted_spmm(pattern, w, y), (weight, x))
    assert torch.autograd.gradcheck(lambda p, q: edge_dot(pattern, p, q), (a, x))
    assert torch.autograd.gradcheck(lambda logits: edge_softmax(pattern, logits), weight)
    assert torch.autograd.gradcheck(lambda value: row_sum(pattern, value), weight)
    assert torch.autograd.gradcheck(lambda value: gather_columns(pattern, value), noise(4))
    assert torch.autograd.gradcheck(pattern.transpose_values, weight)


def test_products_of_one_pattern_do_not_disturb_each_other():
    pattern = drawn(1, 6, 6, 20)
    first, second, x = noise(pattern.nnz), noise(pattern.nnz, scale=3.0), noise(6, 4)
    chained = weighted_spmm(pattern, second, weighted_spmm(pattern, first, x))
    plain = reference_weighted_spmm(pattern, second, reference_weighted_spmm(pattern, first, x))
    assert_same(chained, plain, first, second, x)


def test_what_an_earlier_product_left_behind_does_not_matter():
    pattern, a, b = drawn(1, 6, 6, 20), noise(6, 4), noise(6, 4)
    weighted_spmm(pattern, torch.full((pattern.nnz,), torch.nan, dtype=torch.float64), b)
    assert_same(edge_dot(pattern, a, b), reference_edge_dot(pattern, a, b), a, b)


def test_order_of_edges_and_transpose():
    row, col = torch.tensor([2, 0, 0, 2]), torch.tensor([1, 3, 0, 1])
    pattern = EdgePattern.from_coo(row, col, (3, 4))
    assert pattern.nnz == 3
    assert pattern.row.tolist() == [0, 0, 2]
    assert pattern.col.tolist() == [0, 3, 1]
    turned = pattern.T
    assert turned.shape == (4, 3)
    assert turned.row.tolist() == [0, 1, 3]
    assert turned.col.tolist() == [0, 2, 0]
    value = torch.tensor([1.0, 2.0, 3.0])
    assert pattern.transpose_values(value).tolist() == [1.0, 3.0, 2.0]
    assert turned.transpose_values(pattern.transpose_values(value)).tolist() == value.tolist()
    assert turned.T.row.tolist() == pattern.row.tolist()


@given(shapes)
@settings(max_examples=30, deadline=None)
def test_transposed_product_is_the_product_with_the_transpose(shape):
    seed, rows, cols, edges, width = shape
    pattern = drawn(seed, rows, cols, edges)
    weight, x = noise(pattern.nnz), noise(rows, width)
    dense = torch.zeros(rows, cols, dtype=torch.float64)
    dense[pattern.row.long(), pattern.col.long()] = weight.detach()
    turned = weighted_spmm(pattern.T, pattern.transpose_values(weight), x)
    torch.testing.assert_close(turned, dense.T @ x)


def test_rows_without_edges_and_no_edges_at_all():
    pattern = EdgePattern.from_coo(torch.tensor([1, 1]), torch.tensor([0, 2]), (3, 3))
    alpha = edge_softmax(pattern, torch.tensor([5.0, 5.0]))
    assert alpha.tolist() == [0.5, 0.5]
    assert weighted_spmm(pattern, alpha, torch.eye(3)).tolist() == [[0, 0, 0], [0.5, 0, 0.5], [0, 0, 0]]
    none = torch.empty(0, dtype=torch.long)
    empty, nothing = EdgePattern.from_coo(none, none, (2, 3)), torch.zeros(0, requires_grad=True)
    product = weighted_spmm(empty, edge_softmax(empty, nothing), torch.ones(3, 2))
    product.sum().backward()
    assert torch.equal(product, torch.zeros(2, 2))
    assert nothing.grad.shape == (0,)
    assert edge_dot(empty, torch.ones(2, 4), torch.ones(3, 4)).shape == (0,)


def test_a_cast_of_the_values_leaves_the_indices():
    pattern = EdgePattern.from_coo(torch.tensor([0, 1]), torch.tensor([1, 0]), (2, 2))
    cast = pattern.map(lambda part: part.double() if part.is_floating_point() else part)
    x = torch.eye(2, dtype=torch.float64)
    assert weighted_spmm(cast, torch.ones(2, dtype=torch.float64), x).tolist() == [[0.0, 1.0], [1.0, 0.0]]
    assert torch.equal(cast.row, pattern.row)


def test_what_needs_no_gradient_gets_none():
    pattern = EdgePattern.from_coo(torch.tensor([0, 1]), torch.tensor([1, 0]), (2, 2))
    x, weight = torch.eye(2, requires_grad=True), torch.ones(2)
    weighted_spmm(pattern, weight, x).sum().backward()
    assert weight.grad is None
    assert x.grad.tolist() == [[1.0, 1.0], [1.0, 1.0]]
    fixed = torch.ones(2, 2)
    edge_dot(pattern, fixed, x).sum().backward()
    assert fixed.grad is None


def test_wrong_shapes_and_repr():
    pattern = EdgePattern.from_coo(torch.tensor([0, 1]), torch.tensor([1, 2]), (2, 3))
    with pytest.raises(ValueError, match=r"one value per edge is needed, \[2\] \(got \(3,\)\)"):
        weighted_spmm(pattern, torch.zeros(3), torch.zeros(3, 1))
    with pytest.raises(ValueError, match=r"x must have 3 rows.*\(got \(2, 1\)\)"):
        weighted_spmm(pattern, torch.zeros(2), torch.zeros(2, 1))
    with pytest.raises(ValueError, match=r"b must have 3 rows.*\(got \(2, 4\)\)"):
        edge_dot(pattern, torch.zeros(2, 4), torch.zeros(2, 4))
    with pytest.raises(ValueError, match="one value per edge"):
        edge_softmax(pattern, torch.zeros(1))
    with pytest.raises(ValueError, match="3 rows"):
        gather_columns(pattern, torch.zeros(2))
    assert repr(pattern) == "EdgePattern(shape=(2, 3), nnz=2)"
