import torch

from alignrec_geo.graph.adjacency import bipartite_adjacency, mean_adjacency, symmetric_adjacency
from tests.golden_numbers import toy_graph


def dense_graphs() -> tuple[torch.Tensor, torch.Tensor]:
    """The formulas with dense matrices: A = [[0, R], [Rᵀ, 0]], D^-1/2 A D^-1/2."""
    user, item = toy_graph()["user", "interacts", "item"].edge_index
    r = torch.zeros(60, 40, dtype=torch.float64)
    r[user, item] = 1.0
    a = torch.cat([torch.cat([torch.zeros(60, 60), r], 1), torch.cat([r.T, torch.zeros(40, 40)], 1)])
    scale = a.sum(1).clamp(min=1.0).rsqrt()
    normal = scale[:, None] * a * scale
    return normal, normal[:60, 60:]


def test_symmetric_graph_equals_the_formula():
    pairs = toy_graph()["user", "interacts", "item"].edge_index
    ours = symmetric_adjacency(pairs, 60, 40).matrix.to_dense().double()
    torch.testing.assert_close(ours, dense_graphs()[0], rtol=1e-6, atol=1e-6)


def test_bipartite_block_equals_the_formula():
    pairs = toy_graph()["user", "interacts", "item"].edge_index
    ours = bipartite_adjacency(pairs, 60, 40)
    torch.testing.assert_close(ours.matrix.to_dense().double(), dense_graphs()[1], rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(ours.transposed.to_dense().double(), dense_graphs()[1].T, rtol=1e-6, atol=1e-6)


def test_isolated_nodes_have_empty_rows():
    pairs = torch.tensor([[0], [1]])
    graph = symmetric_adjacency(pairs, 3, 2).matrix.to_dense()
    assert graph.sum() == 2.0
    assert graph[0, 4] == graph[4, 0] == 1.0


def test_mean_graph_equals_the_formula_and_isolated_nodes_get_zero():
    pairs = toy_graph()["user", "interacts", "item"].edge_index
    a = (dense_graphs()[0] > 0).double()
    ours = mean_adjacency(pairs, 61, 40)  # one user more, without a pair
    matrix = ours.matrix.to_dense().double()
    assert not matrix[60].any()
    nodes = torch.cat([torch.arange(60), torch.arange(61, 101)])
    torch.testing.assert_close(matrix[nodes][:, nodes], a / a.sum(1, keepdim=True).clamp(min=1.0), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(ours.transposed.to_dense().double(), matrix.T)
