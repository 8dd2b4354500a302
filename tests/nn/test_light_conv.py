import torch
from torch_geometric.nn import LGConv

from alignrec_geo.graph.adjacency import symmetric_adjacency
from alignrec_geo.nn import LightConv


def test_edge_index_csr_and_pyg_agree():
    generator = torch.Generator().manual_seed(0)
    user = torch.randint(12, (50,), generator=generator)
    item = torch.randint(9, (50,), generator=generator)
    pairs = torch.stack([user, item]).unique(dim=1)
    graph = symmetric_adjacency(pairs, 12, 9)
    edge_index, edge_weight = graph.edges()
    x = torch.randn(21, 5, generator=generator)
    conv = LightConv()
    by_csr = conv(x, graph)
    torch.testing.assert_close(by_csr, conv(x, edge_index, edge_weight))
    torch.testing.assert_close(by_csr, LGConv()(x, edge_index))
    assert repr(conv) == "LightConv()"


def test_without_weights_neighbours_are_added():
    x = torch.tensor([[1.0], [2.0], [4.0]])
    assert LightConv()(x, torch.tensor([[0, 1], [2, 2]])).tolist() == [[0.0], [0.0], [3.0]]
