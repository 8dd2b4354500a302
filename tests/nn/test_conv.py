"""Layers by name, path, class, function and instance: equal results on every form of graph, and one error each."""

import sys

import pytest
import torch
from torch import nn
from torch_geometric import EdgeIndex
from torch_geometric.nn import GATConv, GINConv, MessagePassing, SAGEConv

from alignrec_geo.errors import InputError
from alignrec_geo.graph.adjacency import symmetric_adjacency
from alignrec_geo.models import AlignRecConfig
from alignrec_geo.nn.conv import CONVS, describe, resolve_conv
from alignrec_geo.nn.graph_layer import GraphLayer, relative
from alignrec_geo.nn.propagation import Propagation

WIDTH = 6


def a_graph():
    draw = torch.Generator().manual_seed(0)
    pairs = torch.stack([torch.randint(12, (50,), generator=draw), torch.randint(9, (50,), generator=draw)])
    return symmetric_adjacency(pairs.unique(dim=1), 12, 9), torch.randn(21, WIDTH, generator=draw)


class OwnConv(MessagePassing):
    """Ten lines of a reader."""

    def __init__(self, in_channels, out_channels):
        super().__init__(aggr="mean")
        self.lin = nn.Linear(in_channels, out_channels)

    def forward(self, x, edge_index):
        return self.propagate(edge_index, x=self.lin(x))


def own_function(x, edge_index, edge_weight=None):
    source, target = edge_index
    return torch.zeros_like(x).index_add(0, target, edge_weight[:, None] * x[source])


@pytest.mark.parametrize("name", CONVS)
def test_csr_edge_index_and_edge_index_object_agree(name):
    graph, x = a_graph()
    (layer,) = resolve_conv(name, WIDTH, 1)
    edge_index, weight = graph.edges()
    by_list = layer(x, edge_index, weight)
    torch.testing.assert_close(layer(x, graph), by_list)
    typed = EdgeIndex(edge_index, sparse_size=(21, 21), sort_order="col")
    torch.testing.assert_close(layer(x, typed, weight), by_list)
    assert by_list.shape == x.shape


@pytest.mark.parametrize("name", CONVS)
def test_edge_weights_count(name):
    graph, x = a_graph()
    (layer,) = resolve_conv(name, WIDTH, 1)
    edge_index, weight = graph.edges()
    other = weight * torch.linspace(0.1, 3.0, len(weight))
    assert not torch.allclose(layer(x, edge_index, weight), layer(x, edge_index, other), atol=1e-4)


@pytest.mark.parametrize("name", CONVS)
def test_gradients_reach_every_parameter_and_the_rows(name):
    graph, x = a_graph()
    stack = Propagation(name, WIDTH, 2)
    x.requires_grad_()
    stack.mean(graph, x).square().sum().backward()
    assert x.grad.abs().sum() > 0
    for label, parameter in stack.named_parameters():
        assert parameter.grad is not None, label
        assert parameter.grad.abs().sum() > 0, label


def test_a_mean_becomes_the_weighted_mean_and_a_sum_the_weighted_sum():
    graph, x = a_graph()
    edge_index, weight = graph.edges()
    a = graph.matrix.to_dense()
    mean = SAGEConv(WIDTH, WIDTH, root_weight=False, bias=False)
    nn.init.eye_(mean.lin_l.weight)
    expected = (a @ x) / a.sum(dim=1, keepdim=True).clamp(min=1e-9)
    torch.testing.assert_close(GraphLayer(mean, WIDTH, "never")(x, edge_index, weight), expected)
    added = GINConv(nn.Identity())
    torch.testing.assert_close(GraphLayer(added, WIDTH, "never")(x, edge_index, weight), x + a @ x)
    torch.testing.assert_close(GraphLayer(own_function, WIDTH)(x, edge_index, weight), a @ x)
    assert not added._message_forward_hooks


def test_relative_weights_of_a_node_without_weight():
    assert relative(torch.tensor([0.0, 0.0]), torch.tensor([1, 1]), 2).tolist() == [0.0, 0.0]


def test_residual_and_norm():
    graph, x = a_graph()
    (plain,) = resolve_conv("gcn", WIDTH, 1, residual="never")
    (added,) = resolve_conv("gcn", WIDTH, 1)
    added.load_state_dict(plain.state_dict())
    torch.testing.assert_close(added(x, graph), x + plain(x, graph))
    assert not resolve_conv("light", WIDTH, 1)[0].residual
    assert not resolve_conv("agnn", WIDTH, 1)[0].residual
    (rows,) = resolve_conv("light", WIDTH, 1, norm="row")
    torch.testing.assert_close(rows(x, graph).norm(dim=1), (graph.matrix.to_dense() > 0).any(dim=1).float())
    (layer,) = resolve_conv("light", WIDTH, 1, norm="layer")
    assert float(layer(x, graph).detach().norm(dim=1).mean()) == pytest.approx(1.0, abs=0.05)


def test_the_default_is_one_kernel_and_equals_the_layers_one_by_one():
    graph, x = a_graph()
    stack = Propagation("light", WIDTH, 3)
    assert stack.plain
    a = graph.matrix.to_dense()
    torch.testing.assert_close(stack.mean(graph, x), (x + a @ x + a @ a @ x + a @ a @ a @ x) / 4)
    torch.testing.assert_close(stack(graph, x), a @ a @ a @ x)
    torch.testing.assert_close(Propagation("lg", WIDTH, 3).mean(graph, x), stack.mean(graph, x))
    assert torch.equal(Propagation("light", WIDTH, 0).mean(graph, x), x)


@pytest.mark.parametrize("spec", ["sage", OwnConv, f"{__name__}.OwnConv", f"{__name__}:OwnConv"])
def test_weights_come_from_the_generator_and_the_global_one_is_left_alone(spec):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, second = Propagation(spec, WIDTH, 2), Propagation(spec, WIDTH, 2)
    first.reset_parameters(torch.Generator().manual_seed(1))
    second.reset_parameters(torch.Generator().manual_seed(1))
    assert torch.equal(torch.get_rng_state(), before)
    for (name, one), other in zip(first.named_parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other), name
    second.reset_parameters(torch.Generator().manual_seed(2))
    assert any(not torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_layers_without_weights_draw_nothing():
    draw = torch.Generator().manual_seed(1)
    Propagation("light", WIDTH, 2).reset_parameters(draw)
    assert torch.equal(draw.get_state(), torch.Generator().manual_seed(1).get_state())


def test_an_instance_serves_every_layer_and_keeps_its_values():
    conv = OwnConv(WIDTH, WIDTH)
    value = conv.lin.weight.detach().clone()
    stack = Propagation(conv, WIDTH, 2)
    stack.reset_parameters(torch.Generator().manual_seed(1))
    assert stack.layers[0].conv is stack.layers[1].conv is conv
    assert torch.equal(conv.lin.weight, value)


def test_one_layer_each_from_a_list():
    kinds = [type(layer.conv).__name__ for layer in resolve_conv(["light", OwnConv, GATConv], WIDTH, 3)]
    assert kinds == ["LightConv", "OwnConv", "GATConv"]


def test_a_module_of_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "reader_layers.py").write_text("from torch_geometric.nn import SAGEConv as Mine\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [part for part in sys.path if part])
    before = list(sys.path)
    assert isinstance(resolve_conv("reader_layers.Mine", WIDTH, 1)[0].conv, SAGEConv)
    assert sys.path == before
    (tmp_path / "broken_layers.py").write_text("1 / 0\n")
    with pytest.raises(InputError, match="importing 'broken_layers' failed: ZeroDivisionError"):
        resolve_conv("broken_layers.Mine", WIDTH, 1)
    (tmp_path / "needy_layers.py").write_text("import no_such_library\n")
    with pytest.raises(InputError, match="importing 'needy_layers' failed: No module named 'no_such_library'"):
        resolve_conv("needy_layers.Mine", WIDTH, 1)


class Wide(OwnConv):
    def __init__(self, in_channels, out_channels):
        super().__init__(in_channels, out_channels + 2)


class Pair(OwnConv):
    def forward(self, x, edge_index):
        return x, x


class Dropping(OwnConv):
    def forward(self, x, edge_index):
        return super().forward(x, edge_index)[:-1]


class Needy(OwnConv):
    def __init__(self, in_channels, out_channels, temperature):
        super().__init__(in_channels, out_channels)


class Looping(MessagePassing):
    def forward(self, x, edge_index):
        loops = torch.arange(len(x)).expand(2, -1)
        return self.propagate(torch.cat([edge_index, loops], dim=1), x=x)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (Wide, r"layer '.*Wide' must keep the width 6 of the embeddings \(got 8\)"),
        (Pair, r"must return one tensor \(got a tuple\)"),
        (Dropping, r"must return one row per node \(got shape \(4, 6\) for 5 nodes\)"),
        (SAGEConv(4, 6), "fails on rows of width 6: RuntimeError"),
        (Needy, "class 'Needy' needs 'temperature', and only widths are known"),
        (Looping, "made 11 messages of 6 weighted edges"),
        ("svd", r"unknown layer \(got 'svd'\); there are: light, lg"),
        ("<object of a.B>", "unknown layer"),
        ("no_such_package.Conv", r"there is no module 'no_such_package' \(got 'no_such_package\.Conv'\)"),
        ("torch.nn.Convolution", "module 'torch.nn' has no 'Convolution'"),
        ("math.pi", r"a layer is a name, a class, a module or a function \(got 3\.14"),
        (["light"], "1 layers were given for 2"),
    ],
)
def test_one_clear_error_each(spec, message):
    with pytest.raises(InputError, match=message):
        resolve_conv(spec, WIDTH, 2)


def test_what_a_run_stores_of_a_layer():
    assert describe("sage") == "sage"
    assert describe(OwnConv) == f"{__name__}.OwnConv"
    assert describe(OwnConv(1, 1)) == f"<object of {__name__}.OwnConv>"
    assert describe([own_function, "gcn"]) == [f"<object of {__name__}.own_function>", "gcn"]


class Picky(OwnConv):
    def __init__(self, in_channels, out_channels):
        raise RuntimeError("a power of two is needed\nand more")


def test_what_cannot_be_made_is_named():
    with pytest.raises(InputError, match="making 'Picky' failed: RuntimeError: a power of two is needed and more"):
        resolve_conv(Picky, WIDTH, 1)
    with pytest.raises(InputError, match="'dict' is no layer"):
        resolve_conv(dict, WIDTH, 1)


def test_a_setting_holds_a_layer_per_edge_type_by_names_and_classes():
    config = AlignRecConfig(
        user_item_conv={"user__interacts__item": ["sage", OwnConv], "item__rev_interacts__user": "gcn"}
    )
    assert config.user_item_conv == {
        "user__interacts__item": ["sage", f"{__name__}.OwnConv"],
        "item__rev_interacts__user": "gcn",
    }

    class Hidden(OwnConv):
        pass

    with pytest.raises(InputError, match=r"class '.*<locals>\.Hidden' has no path of its own"):
        AlignRecConfig(user_item_conv=Hidden)
