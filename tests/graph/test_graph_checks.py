"""Where a graph of one's own enters: what is read from it, and the one line where it cannot be."""

import pytest
import torch
from torch_geometric.data import Data, HeteroData

from alignrec_geo.errors import InputError
from alignrec_geo.graph.checks import check_graph, edges_of, interaction_type, node_count
from alignrec_geo.graph.hetero import find_edge_type, relation_graph
from alignrec_geo.graph.modalities import item_content

BUYS = ("user", "buys", "item")


def graph(kind=BUYS):
    data = HeteroData()
    data["user"].num_nodes, data["item"].num_nodes = 3, 2
    data[kind].edge_index = torch.tensor([[0, 1, 1], [0, 0, 1]])
    return data


def test_a_graph_is_a_hetero_data():
    data = graph()
    assert check_graph(data, "AlignRec") is data
    with pytest.raises(InputError, match=r"AlignRec takes a graph, PyG's HeteroData \(got a Data\)"):
        check_graph(Data(), "AlignRec")


def test_weights_without_any_are_one_over_the_root_of_both_degrees():
    expected = torch.tensor([[2**-0.5, 1 / 2, 0.0], [0.0, 2**-0.5, 0.0]])  # items gather from users
    torch.testing.assert_close(relation_graph(graph(), BUYS).matrix.to_dense(), expected)


def test_edge_types_by_text_or_parts():
    data = graph()
    assert find_edge_type(data, "user__buys__item") == find_edge_type(data, BUYS) == BUYS
    with pytest.raises(InputError, match="no edge type 'user__likes__item'; there are: user__buys__item"):
        find_edge_type(data, ("user", "likes", "item"))


def test_the_interactions_are_the_one_type_from_users_to_items():
    assert interaction_type(graph()) == BUYS
    data = graph(("user", "follows", "user"))
    with pytest.raises(InputError, match=r"no edge type 'user__interacts__item'; there are: user__follows__user$"):
        interaction_type(data)
    with pytest.raises(InputError, match="there are: none"):
        interaction_type(HeteroData())
    data = graph(("item", "bought_by", "user"))
    with pytest.raises(InputError, match="those of 'item__bought_by__user' lead the other way"):
        interaction_type(data)
    data = graph()
    data["user", "likes", "item"].edge_index = torch.tensor([[0], [0]])
    with pytest.raises(InputError, match="there are: user__buys__item, user__likes__item"):
        interaction_type(data)


@pytest.mark.parametrize(
    "weight", [torch.ones(3, dtype=torch.bool), torch.ones(3, dtype=torch.cfloat), torch.ones(3).to_sparse()]
)
def test_weights_are_real_numbers(weight):
    data = graph()
    data[BUYS].edge_weight = weight
    with pytest.raises(InputError, match="must hold real numbers"):
        edges_of(data, BUYS)


def test_weights_of_any_width_are_floats():
    data = graph()
    for weight in (torch.tensor([1, 2, 3]), torch.tensor([1.0, 2.0, 3.0]).bfloat16()):
        data[BUYS].edge_weight = weight.requires_grad_(weight.is_floating_point())
        found = edges_of(data, BUYS).weight
        assert found.tolist() == [1.0, 2.0, 3.0]
        assert not found.requires_grad


@pytest.mark.parametrize(
    ("wanted", "there", "advice"), [("cpu", "meta", r"graph\.cpu\(\)"), ("meta", "cpu", "meta is needed")]
)
def test_tensors_are_where_they_are_needed(wanted, there, advice):
    data = graph()
    data[BUYS].edge_index = data[BUYS].edge_index.to(there)
    with pytest.raises(InputError, match=f"{advice}.*got {there}"):
        edges_of(data, BUYS, torch.device(wanted))


def test_rows_of_features_that_are_no_numbers():
    data = graph()
    data["item"].x_image = torch.tensor([[1.0, 2.0], [float("nan"), 3.0]])
    with pytest.raises(InputError, match=r"NaN or infinity in 1 of 2 rows \(first: row 1\)"):
        item_content(data, ["image"])
    data["item"].has_image = torch.tensor([True, False])  # said to be missing
    x, present = item_content(data, ["image"])
    assert x.tolist() == [[1.0, 2.0], [0.0, 0.0]]
    assert present.tolist() == [True, False]


@pytest.mark.parametrize("count", ["many", -1, 2.5, True, torch.tensor([1, 2])])
def test_a_number_of_nodes_is_a_whole_number(count):
    data = HeteroData()
    data["user"].num_nodes = count
    with pytest.raises(InputError, match=r"data\['user'\]\.num_nodes must be a whole number of at least 0"):
        node_count(data, "user")
    data["user"].num_nodes = torch.tensor(3)
    assert node_count(data, "user") == 3
