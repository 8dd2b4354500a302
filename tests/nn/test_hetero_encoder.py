import pytest
import torch

from alignrec_geo.errors import InputError
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.nn.bipartite import BipartitePropagation
from alignrec_geo.nn.conv import CONVS
from alignrec_geo.nn.hetero_encoder import HeteroEncoder

LIKES, RETURNS, FOLLOWS = ("user", "likes", "item"), ("item", "liked_by", "user"), ("user", "follows", "user")


def a_graph():
    draw = torch.Generator().manual_seed(0)
    x = {"user": torch.randn(7, 4, generator=draw), "item": torch.randn(5, 4, generator=draw)}
    edges, weights, graphs = {}, {}, {}
    for edge_type in (LIKES, RETURNS, FOLLOWS):
        ends = [torch.randint(len(x[kind]), (12,), generator=draw) for kind in edge_type[::2]]
        shape = len(x[edge_type[2]]), len(x[edge_type[0]])
        graphs[edge_type] = CSR.from_coo(ends[1], ends[0], torch.rand(12, generator=draw), shape)
        edges[edge_type], weights[edge_type] = graphs[edge_type].edges()
    return x, graphs, edges, weights


@pytest.mark.parametrize("name", CONVS)
def test_edge_lists_and_csr_agree(name):
    x, graphs, edges, weights = a_graph()
    encoder = HeteroEncoder({LIKES: name, RETURNS: name, FOLLOWS: name}, 4, 2)
    by_csr, by_list = encoder(x, graphs), encoder(x, edges, weights)
    for kind in x:
        torch.testing.assert_close(by_csr[kind], by_list[kind])


def test_the_formula():
    x, graphs, _, _ = a_graph()
    out = HeteroEncoder({LIKES: "light", RETURNS: "light", FOLLOWS: "light"}, 4, 1)(x, graphs)
    likes, returns, follows = (graphs[edge_type].matrix.to_dense() for edge_type in (LIKES, RETURNS, FOLLOWS))
    torch.testing.assert_close(out["item"], (x["item"] + likes @ x["user"]) / 2)
    torch.testing.assert_close(out["user"], (x["user"] + (returns @ x["item"] + follows @ x["user"]) / 2) / 2)


def test_the_last_layer_computes_what_is_used():
    encoder = HeteroEncoder({LIKES: "gcn", RETURNS: "gcn"}, 4, 2, outputs=("user",))
    x, graphs, _, _ = a_graph()
    encoder(x, graphs)["user"].square().sum().backward()
    assert [list(layer.convs.keys()) for layer in encoder.layers] == [[LIKES, RETURNS], [RETURNS]]
    assert all(parameter.grad.abs().sum() > 0 for parameter in encoder.parameters())


def test_draws_are_repeated():
    first, second = (HeteroEncoder({LIKES: "sage", FOLLOWS: "gatv2"}, 4, 2) for _ in range(2))
    for encoder in (first, second):
        encoder.reset_parameters(torch.Generator().manual_seed(1))
    assert all(torch.equal(one, other) for one, other in zip(first.parameters(), second.parameters(), strict=True))


@pytest.mark.parametrize("name", ["light", "lg", "gin"])
def test_content_is_carried_over_by_the_weights(name):
    x, graphs, _, _ = a_graph()
    carried = BipartitePropagation(name, 4, residual="never")
    if name == "gin":
        carried.crossing.layer.conv.nn = torch.nn.Identity()
    torch.testing.assert_close(carried(graphs[LIKES], x["user"]), graphs[LIKES].matrix.to_dense() @ x["user"])


@pytest.mark.parametrize("missing", ["edges", "rows"])
def test_what_an_edge_type_lacks(missing):
    x, graphs, *_ = a_graph()
    encoder = HeteroEncoder(dict.fromkeys(graphs, "light"), width=4, layers=1)
    if missing == "edges":
        del graphs[FOLLOWS]
    else:
        del x["item"]
    kind = "user__follows__user" if missing == "edges" else "user__likes__item"
    with pytest.raises(InputError, match=f"edges of type '{kind}' and rows of both its ends are needed"):
        encoder(x, graphs)
