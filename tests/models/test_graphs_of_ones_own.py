"""Graphs that people bring: used as they are, never changed, or refused in one line."""

from contextlib import suppress

import pytest
import torch
from torch_geometric.data import Data, HeteroData
from torch_geometric.transforms import ToSparseTensor

from alignrec_geo.dataset import make_catalogue
from alignrec_geo.errors import InputError
from alignrec_geo.graph import to_hetero
from alignrec_geo.graph.adjacency import mean_adjacency, symmetric_adjacency
from alignrec_geo.graph.hetero import relation_graph
from alignrec_geo.graph.item_knn import item_knn
from alignrec_geo.graph.pruned import prune_edges
from alignrec_geo.graph.user_cooccurrence import user_cooccurrence
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.models import MODELS, AlignRec
from alignrec_geo.models.on_subgraph import on_subgraph
from alignrec_geo.nn.hetero_encoder import HeteroEncoder
from alignrec_geo.training.subgraphs import _weighted

PAIRS, SIMILAR = ("user", "interacts", "item"), ("item", "similar", "item")
ON_GRAPHS = sorted(name for name in MODELS if name != "popularity")


def graph() -> HeteroData:
    """20 users, 15 items, 60 pairs, one feature matrix; no more than a model needs."""
    data = HeteroData()
    data["user"].num_nodes, data["item"].num_nodes = 20, 15
    data[PAIRS].edge_index = torch.stack([torch.arange(60) % 20, torch.arange(60) % 15])
    data["item"].x_image = torch.randn(15, 8, generator=torch.Generator().manual_seed(0))
    return data


def changed(name: str, value: object) -> HeteroData:
    data = graph()
    data[PAIRS][name] = value
    return data


def with_edge(row: int, column: int, value: int) -> HeteroData:
    data = graph()
    data[PAIRS].edge_index[row, column] = value
    return data


def renamed(*names: str) -> HeteroData:
    data = graph()
    for name in names:
        data["user", name, "item"].edge_index = data[PAIRS].edge_index
    del data[PAIRS]
    return data


@pytest.mark.parametrize("name", ON_GRAPHS)
@pytest.mark.parametrize(("row", "column", "value"), [(1, 7, 15), (1, 0, 139), (0, 3, 20), (0, 3, -1)])
def test_no_model_takes_an_edge_to_nowhere(name, row, column, value):
    kind, count = (("user", 20), ("item", 15))[row]
    with pytest.raises(InputError, match=f"'user__interacts__item' names {kind} {value}; there are {count}"):
        MODELS[name](with_edge(row, column, value))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("edge_index", graph()[PAIRS].edge_index.flip(0), "names item 19; there are 15.* rows may be swapped"),
        ("edge_index", graph()[PAIRS].edge_index.t(), r"must be \[2, E\]; transpose it"),
        ("edge_index", graph()[PAIRS].edge_index[0], r"must be \[2, E\] \(got \[60\]\)"),
        ("edge_index", graph()[PAIRS].edge_index.float(), r"must hold the numbers of nodes, int64 \(got float32\)"),
        ("edge_index", graph()[PAIRS].edge_index.bool(), r"\(got bool\)"),
        ("edge_index", graph()[PAIRS].edge_index.numpy(), r"must be a dense tensor \[2, E\] \(got a ndarray\)"),
        ("edge_index", graph()[PAIRS].edge_index.to("meta"), "is on another device; make the model from graph.cpu"),
        ("edge_weight", torch.full((60,), float("nan")), r"edge_weight .* must be finite \(got nan at edge 0\)"),
        ("edge_weight", torch.ones(60).index_fill(0, torch.tensor(5), float("inf")), r"\(got inf at edge 5\)"),
        ("edge_weight", torch.ones(59), r"one number per pair: \[60\] \(got \[59\]\)"),
        ("edge_weight", torch.ones(60, dtype=torch.bool), "must hold real numbers"),
    ],
)
def test_pairs_and_weights_that_are_refused(name, value, words):
    with pytest.raises(InputError, match=words):
        AlignRec(changed(name, value))


def test_numbers_of_another_width_are_numbers():
    narrow = AlignRec(changed("edge_index", graph()[PAIRS].edge_index.int()))
    assert torch.equal(narrow.encode().users, AlignRec(graph()).encode().users)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (torch.randn(14, 8), "item.x_image has 14 rows; there are 15 items"),
        (torch.randn(15), r"must be a matrix of numbers \[items, width\]"),
        ([[1.0]] * 15, r"must be a tensor \[items, width\] \(got a list\)"),
        (torch.ones(15, 8).index_fill(0, torch.tensor(3), float("nan")), r"NaN or infinity in 1 of 15 rows .*row 3"),
    ],
)
def test_features_that_are_refused(values, words):
    data = graph()
    data["item"].x_image = values
    with pytest.raises(InputError, match=words):
        AlignRec(data)


def test_features_in_other_forms_and_nan_where_nothing_is():
    data, plain = graph(), graph()["item"].x_image
    for form in (plain.to_sparse(), plain.clone().requires_grad_(), plain.double()):
        data["item"].x_image = form
        assert torch.equal(AlignRec(data).content, AlignRec(graph()).content)
    data["item"].x_image = plain.index_fill(0, torch.tensor(3), float("nan"))
    data["item"].has_image = torch.arange(15) != 3
    assert torch.isfinite(AlignRec(data).encode().items).all()
    data["item"].has_image = torch.ones(14, dtype=torch.bool)
    with pytest.raises(InputError, match=r"item.has_image must say for every item .* \[15\] \(got \[14\]\)"):
        AlignRec(data)


def test_the_x_of_pyg_is_a_feature_matrix():
    data = graph()
    data["item"].x = data["item"].x_image
    del data["item"].x_image
    model = AlignRec(data)
    assert model.features == ("x",)
    assert torch.equal(model.encode().items, AlignRec(graph()).encode().items)
    data["item"].x_x = data["item"].x
    with pytest.raises(InputError, match="both 'x' and 'x_x'"):
        AlignRec(data)


def test_counts_of_nodes():
    data = graph()
    del data["item"].num_nodes
    assert AlignRec(data).n_items == 15  # the rows of x_image say so
    del data["user"].num_nodes
    with pytest.raises(InputError, match=r"how many 'user' nodes there are; set data\['user'\].num_nodes"):
        AlignRec(data)
    data["user"].num_nodes = 20.5
    with pytest.raises(InputError, match="must be a whole number of at least 0"):
        AlignRec(data)
    other = HeteroData()
    other["customer", "buys", "product"].edge_index = torch.tensor([[0], [0]])
    with pytest.raises(InputError, match=r"no node type 'user'; there are: none.* Dataset.from_hetero"):
        AlignRec(other)


def test_edge_types_of_other_names():
    assert torch.equal(AlignRec(renamed("buys")).encode().users, AlignRec(graph()).encode().users)
    with pytest.raises(
        InputError, match="no edge type 'user__interacts__item'; there are: user__buys__item, user__sees"
    ):
        AlignRec(renamed("buys", "sees"))
    turned = renamed()
    turned["item", "of", "user"].edge_index = graph()[PAIRS].edge_index.flip(0)
    with pytest.raises(InputError, match="those of 'item__of__user' lead the other way"):
        AlignRec(turned)
    with pytest.raises(InputError, match="no edge_index but 'adj_t'; build the model before ToSparseTensor"):
        AlignRec(ToSparseTensor()(graph()))


def test_without_similar_edges_they_are_made_from_the_content():
    data = graph()
    model = AlignRec(data, config={"k": 4})
    assert data.edge_types == [PAIRS]
    x = data["item"].x_image
    data[SIMILAR].edge_index, data[SIMILAR].edge_weight = item_knn(x, torch.ones(15, dtype=torch.bool), 4)
    assert torch.equal(model.encode().items, AlignRec(data, config={"k": 4}).encode().items)
    data[SIMILAR].edge_index = torch.tensor([[0, 99], [1, 2]])
    del data[SIMILAR].edge_weight
    with pytest.raises(InputError, match="'item__similar__item' names item 99; there are 15"):
        AlignRec(data)


def test_a_graph_is_never_changed():
    for data in (graph(), renamed("buys", "sees"), with_edge(1, 0, 139), HeteroData()):
        before = str(data.to_dict())
        for name in ON_GRAPHS:
            with suppress(InputError):
                MODELS[name](data)
        assert str(data.to_dict()) == before


def test_something_else_than_a_graph():
    data = make_catalogue(n_users=60, n_items=40, image_size=16)
    with pytest.raises(InputError, match=r"for a data set there is AlignRec.from_dataset \(got a Dataset\)"):
        AlignRec(data)
    for other in (None, Data(), "graph.pt"):
        with pytest.raises(InputError, match="takes a graph, PyG's HeteroData"):
            AlignRec(other)
    with pytest.raises(InputError, match="to_hetero takes a Dataset"):
        to_hetero("folder")
    for k in (0, 2.5, True):
        with pytest.raises(InputError, match="k, the content neighbours"):
            to_hetero(data, k=k)


def test_functions_on_pairs_check_them_too():
    pairs = with_edge(0, 3, 25)[PAIRS].edge_index  # as a node of users and items together it would be an item
    generator = torch.Generator()
    for build in (
        lambda: symmetric_adjacency(pairs, 20, 15),
        lambda: mean_adjacency(pairs, 20, 15),
        lambda: prune_edges(pairs, 20, 15, 0.5, generator),
        lambda: user_cooccurrence(pairs, 20, 15),
    ):
        with pytest.raises(InputError, match="there is no user 25: there are 20"):
            build()
    with pytest.raises(InputError, match="names user 25"):
        relation_graph(with_edge(0, 3, 25), PAIRS)


@pytest.mark.parametrize(
    ("row", "value", "words"),
    [
        (torch.tensor([0, 3]), torch.ones(2), "no row of a matrix of shape .* number 3: there are 3"),
        (torch.tensor([0, -1]), torch.ones(2), "number -1"),
        (torch.tensor([0.0, 1.0]), torch.ones(2), r"rows of a matrix must be int64 \(got float32\)"),
        (torch.tensor([0, 1]), torch.ones(3), r"\(got \[2\], \[2\], \[3\]\)"),
        (torch.tensor([0, 1]), torch.tensor([1.0, float("nan")]), "must be finite"),
    ],
)
def test_matrices_check_their_entries(row, value, words):
    with pytest.raises(InputError, match=words):
        CSR.from_coo(row, torch.tensor([0, 1]), value, (3, 3))


def test_an_encoder_of_several_kinds_checks_its_edges():
    encoder = HeteroEncoder({("user", "likes", "item"): "sage"}, width=2, layers=1)
    rows = {"user": torch.ones(2, 2), "item": torch.ones(3, 2)}
    for edge in ([[2], [0]], [[0], [3]]):  # a source beyond the sources would be a target
        with pytest.raises(InputError, match=r"there is no (source 2|target 3)"):
            encoder(rows, {("user", "likes", "item"): torch.tensor(edge)})
    wrong = CSR.pattern(torch.tensor([0]), torch.tensor([0]), (3, 4))
    with pytest.raises(InputError, match=r"graph of shape \(3, 4\) does not fit 3 targets and 2 sources"):
        encoder(rows, {("user", "likes", "item"): wrong})


def test_a_subgraph_is_checked():
    data = to_hetero(make_catalogue(n_users=60, n_items=40, image_size=16), cache=False)
    model, part = AlignRec(data), _weighted(data)
    part.hops = 2
    torch.testing.assert_close(on_subgraph(model, part).encode().items, model.encode().items)
    part["item"].n_id = part["item"].n_id + 5
    with pytest.raises(InputError, match="there is no item 44: there are 40"):
        on_subgraph(model, part)
    part["item"].n_id = part["item"].n_id - 5
    part[PAIRS].edge_index[1, 0] = 40
    with pytest.raises(InputError, match="names item 40; there are 40"):
        on_subgraph(model, part)
    with pytest.raises(InputError, match="on_subgraph takes a graph"):
        on_subgraph(model, data["item"])
