import numpy as np
import pytest
import torch
from torch_geometric.data import HeteroData
from torch_geometric.transforms import ToSparseTensor

from alignrec_geo.dataset import Dataset, SplitConfig, make_catalogue
from alignrec_geo.dataset.readers.hetero import from_hetero
from alignrec_geo.errors import InputError
from alignrec_geo.graph.hetero import to_hetero

KIND = ("user", "interacts", "item")


def graph() -> HeteroData:
    data = HeteroData()
    data["user"].num_nodes = 3
    data["item"].num_nodes = 4
    data[KIND].edge_index = torch.tensor([[0, 0, 1], [0, 3, 1]])
    return data


def triples(data: Dataset) -> set[tuple[str, str, int]]:
    pairs = data.interactions
    users, items = data.users["id"].to_list(), data.items["id"].to_list()
    return {(users[u], items[i], int(s)) for u, i, s in zip(pairs.user, pairs.item, pairs.split, strict=True)}


def test_edges_of_the_other_splits_come_from_label_indices() -> None:
    data = graph()
    data[KIND].validation_edge_label_index = torch.tensor([[2], [1]])
    data[KIND].test_edge_label_index = torch.tensor([[1, 2], [0, 0]])
    data["item", "similar", "item"].edge_index = torch.tensor([[0], [1]])
    data["item", "rev_interacts", "user"].edge_index = data[KIND].edge_index.flip(0)
    read = Dataset.from_hetero(data, name="g")
    assert triples(read) == {("0", "0", 0), ("0", "3", 0), ("1", "1", 0), ("2", "1", 1), ("1", "0", 2), ("2", "0", 2)}
    assert read.interactions.n_items == 4
    assert read.split_config.rule == "given"
    assert "similar" in read.notes[0]


def test_our_own_graph_comes_back_as_it_was() -> None:
    made = make_catalogue(n_users=60, n_items=40, image_size=16)
    read = from_hetero(to_hetero(made, cache=False))
    assert triples(read) == triples(made)
    assert read.users.equals(made.users)
    assert read.items["id"].equals(made.items["id"])
    assert read.feature_names == made.feature_names
    for name in made.feature_names:
        np.testing.assert_array_equal(read.features(name).matrix, made.features(name).matrix)
        np.testing.assert_array_equal(read.features(name).present, made.features(name).present)


def test_a_split_per_edge_times_and_ratings() -> None:
    data = graph()
    data[KIND].split = torch.tensor([0, 1, 2])
    data[KIND].time = torch.tensor([7, 8, 9])
    data[KIND].rating = torch.tensor([1.0, 2.0, 3.0])
    read = from_hetero(data)
    assert triples(read) == {("0", "0", 0), ("0", "3", 1), ("1", "1", 2)}
    assert read.interactions.timestamp is not None
    assert read.interactions.rating is not None
    assert read.interactions.timestamp.tolist() == [7, 8, 9]
    assert read.interactions.rating.tolist() == [1, 2, 3]


def test_times_only_a_part_of_the_edges_has_are_left_out() -> None:
    data = graph()
    data[KIND].time = torch.tensor([7, 8, 9])
    data[KIND].test_edge_label_index = torch.tensor([[2], [2]])
    assert from_hetero(data).interactions.timestamp is None
    data[KIND].test_time = torch.tensor([10])
    times = from_hetero(data).interactions.timestamp
    assert times is not None
    assert times.tolist() == [7, 8, 9, 10]


def test_without_a_split_a_rule_makes_one() -> None:
    assert from_hetero(graph()).split_config == SplitConfig()
    assert from_hetero(graph(), split=SplitConfig(rule="random", seed=5)).split_config.seed == 5


def test_content_and_external_ids() -> None:
    data = graph()
    data["user"].external_id = ["zoe", "ann", "bob"]
    data["item"].external_id = ["d", "c", "b", "a"]
    data["item"].title = ["D", "C", "B", "A"]
    data["item"].x = torch.tensor([[4.0], [3.0], [2.0], [0.0]])
    data["item"].x_image = torch.eye(4, dtype=torch.float64)
    data["item"].has_image = torch.tensor([True, True, False, True])
    read = from_hetero(data, features={"audio": np.ones((4, 2))})
    assert read.items["id"].to_list() == ["a", "b", "c", "d"]
    assert read.items["title"].to_list() == ["A", "B", "C", "D"]
    assert ("zoe", "d", 0) in {(u, i, 0) for u, i, _ in triples(read)}
    assert read.feature_names == ["audio", "image", "x"]
    assert read.features("x").matrix.ravel().tolist() == [0, 2, 3, 4]
    assert read.features("x").present.tolist() == [False, True, True, True]
    assert read.features("image").present.tolist() == [True, False, True, True]
    assert read.features("image").matrix[0].tolist() == [0, 0, 0, 1]


def test_other_node_names_and_counts_from_edges() -> None:
    data = HeteroData()
    data["reader", "likes", "book"].edge_index = torch.tensor([[0, 2], [1, 0]])
    read = from_hetero(data, edge_type=("reader", "likes", "book"))
    assert (read.interactions.n_users, read.interactions.n_items) == (3, 2)
    data["reader"].external_id = ["a", "b", "c", "d"]
    assert from_hetero(data, edge_type=("reader", "likes", "book")).interactions.n_users == 4


def broken(**changes: object) -> HeteroData:
    data = graph()
    for name, value in changes.items():
        store, _, key = name.partition("__")
        data[KIND if store == "edge" else store][key] = value
    return data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (HeteroData(), "exactly one edge type from 'user' to 'item' is needed; there are: none"),
        (broken(edge__split=torch.tensor([0, 1, 7])), "holds '7'"),
        (broken(edge__split=torch.tensor([0, 1])), "split has shape .2,.; one value for each of 3 edges"),
        (
            broken(edge__edge_index=torch.tensor([[9], [0]])),
            r"edges \('user', 'interacts', 'item'\): edge_index\[0\] names a node of 'user' .* 0 to 2 .*\(got 9 at",
        ),
        (
            broken(edge__edge_index=torch.tensor([[0], [9]])),
            r"names a node of 'item' .* 0 to 3 are .*got 9 at",
        ),
        (broken(user__external_id=["a"]), r"names a node of 'user' .* 0 to 0 are allowed \(got 1 "),
        (broken(user__external_id=["a", "b", "a"]), "needs 3 different ids"),
        (broken(item__title=["A"]), "'title' of the items has 1 entries, there are 4 items"),
        (broken(item__x=torch.ones(2, 2)), "features 'x' have 2 rows, there are 4 items"),
        (broken(item__x=torch.full((4, 2), torch.nan)), "features 'x': row 0 .* holds NaN"),
        (broken(edge__edge_index=torch.tensor([[-1], [0]])), r"edge_index\[0\] names .* \(got -1 at position 0"),
        (
            broken(edge__edge_index=torch.tensor([[0.0], [0.0]])),
            r"must be whole numbers .*float32 \[2, 1\]",
        ),
        (broken(edge__edge_index=torch.tensor([[True], [True]])), r"must be whole numbers \[2, edges\].*bool"),
        (broken(edge__edge_index=torch.tensor([[0, 1], [0, 1], [0, 1]])), r"must be whole numbers \[2, edges\]"),
        (broken(edge__edge_index=None), "have no edge_index"),
        (broken(edge__test_edge_label_index=torch.tensor([[0], [7]])), r"test_edge_label_index\[1\] .* \(got 7 at"),
        (
            broken(edge__time=torch.tensor([1.0, torch.nan, 2.0])),
            "edges .*: row 2 holds 'nan' in column 'timestamp'",
        ),
        (
            broken(edge__rating=torch.tensor([1.0, 2.0, torch.inf])),
            "edges .*: row 3 holds 'inf' in column 'rating'",
        ),
        (broken(edge__rating=torch.ones(2)), r"rating has shape \(2,\); one value for each of 3 edges is needed"),
        (broken(user__num_nodes=-1), "num_nodes of 'user' must be a whole number from 0"),
        (broken(user__external_id="abc"), "edge_index.* 0 to 0"),
        (broken(item__title="abcd"), "'title' of the items needs a list of texts"),
        (broken(item__title=["a", "b", 3, None]), r"'title' of item 2 is no text \(got 3\)"),
        (broken(item__x=torch.ones(4)), r"features 'x': has shape \(4,\); a matrix \[items, width\] is needed"),
        (broken(item__x=[[1.0], [2.0, 3.0], [1.0], [1.0]]), "features 'x': not a readable array of numbers"),
        (broken(item__x=torch.ones(4, 1), item__has_x=torch.ones(3)), r"has_x of the items has shape \[3\]"),
        (torch.ones(2), r"a graph, PyG's HeteroData, is needed \(got a Tensor\)"),
    ],
)
def test_graphs_that_do_not_fit(data: HeteroData, message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_hetero(data)


def test_an_edge_type_that_is_not_there() -> None:
    with pytest.raises(InputError, match=r"no edge type \('user', 'buys', 'item'\); there are: \('user', 'interacts'"):
        from_hetero(graph(), edge_type=("user", "buys", "item"))


def test_numbers_far_beyond_the_edges_and_broken_sparse_tensors_are_one_line() -> None:
    data = HeteroData()
    data[KIND].edge_index = torch.tensor([[0, 2**40], [0, 1]])
    with pytest.raises(InputError, match="'user' would have 1099511627777 nodes for 2 edges"):
        from_hetero(data)
    column, row = torch.tensor([0, 9**9, 1]), torch.tensor([0, 1, 2, 3, 3])
    csr = torch.sparse_csr_tensor(row, column, torch.ones(3), size=(4, 3), check_invariants=False)
    coo = torch.sparse_coo_tensor(torch.stack([column, column]), torch.ones(3), (4, 3), check_invariants=False)
    for x in (csr, coo):
        with pytest.raises(InputError, match="features 'x': not a readable array of numbers"):
            from_hetero(broken(item__x=x))
        data = graph()
        del data[KIND].edge_index
        data[KIND].adj_t = x
        with pytest.raises(InputError, match=r"edges .*: adj_t: not a readable sparse matrix"):
            from_hetero(data)


def test_an_edge_index_is_needed() -> None:
    data = graph()
    del data[KIND].edge_index
    data[KIND].time = torch.arange(3)
    with pytest.raises(InputError, match=r"have no edge_index \(got time"):
        from_hetero(data)


def test_the_graph_is_not_changed() -> None:
    data = HeteroData()
    data["user", "likes", "item"].edge_index = torch.tensor([[0, 1, 1], [1, 0, 1]])
    before = (data.node_types, data.edge_types, data.to_dict())
    from_hetero(data)
    assert (data.node_types, data.edge_types) == before[:2]
    assert data.to_dict().keys() == before[2].keys()


def test_sparse_adjacency_stands_for_edges() -> None:
    data = graph()
    data[KIND].time = torch.tensor([5, 6, 7])
    wanted = from_hetero(data)
    made = ToSparseTensor(attr=None, remove_edge_index=True)(data.clone())
    assert "edge_index" not in made[KIND]
    read = from_hetero(made)
    assert triples(read) == triples(wanted)
    for part in (wanted, read):
        assert part.interactions.timestamp is not None
    order, other = np.argsort(wanted.interactions.keys()), np.argsort(read.interactions.keys())
    assert wanted.interactions.timestamp[order].tolist() == read.interactions.timestamp[other].tolist()  # type: ignore[index]


def test_times_keep_fractions_and_large_numbers() -> None:
    data = graph()
    for given in (torch.tensor([1.75, 1.25, 1.5], dtype=torch.float64), torch.tensor([[1.75], [1.25], [1.5]])):
        data[KIND].time = given
        times = from_hetero(data).interactions.timestamp
        assert times is not None
        assert times.tolist() == [1.75, 1.25, 1.5]
    data[KIND].time = torch.tensor([2**60 + 2, 2**60 + 1, 2**60])
    times = from_hetero(data, split="leave-last").interactions.timestamp
    assert times is not None
    assert times.tolist() == [2**60 + 2, 2**60 + 1, 2**60]


X = torch.tensor([[1.0, 2.0], [3.0, 0.0], [0.0, 4.0], [5.0, 6.0]])


@pytest.mark.parametrize(
    "x", [X.bfloat16(), X.half(), X.clone().requires_grad_(), X.to_sparse(), X.to_sparse_csr(), X.int(), X.tolist()]
)
def test_tensors_of_any_kind_are_features(x: object) -> None:
    data = graph()
    data["item"].x = x
    np.testing.assert_array_equal(from_hetero(data).features("x").matrix, X)
    np.testing.assert_array_equal(from_hetero(graph(), features={"image": x}).features("image").matrix, X)


def test_what_is_left_out_is_said() -> None:
    data = graph()
    data[KIND].time = torch.tensor([7, 8, 9])
    data[KIND].test_edge_label_index = torch.tensor([[2], [2]])
    assert from_hetero(data).notes == [f"edges {KIND}: time was left out, because there is no test_time"]
    for wrong in ("image", [1]):
        with pytest.raises(InputError, match="features: matrices by name are needed"):
            from_hetero(graph(), features=wrong)  # type: ignore[arg-type]
