import pytest
import torch

from alignrec_geo.dataset import Dataset, Split, make_catalogue
from alignrec_geo.errors import InputError
from alignrec_geo.graph import to_hetero


@pytest.fixture(scope="module")
def data() -> Dataset:
    return make_catalogue(n_users=60, n_items=40, image_size=16)


def test_the_public_graph(data):
    graph = to_hetero(data, cache=False)
    assert graph.validate()
    assert set(graph.edge_types) == {
        ("user", "interacts", "item"),
        ("item", "rev_interacts", "user"),
        ("item", "similar", "item"),
    }
    train = data.interactions.of(Split.TRAIN)
    edges = graph["user", "interacts", "item"]
    assert edges.edge_index.tolist() == [train.user.tolist(), train.item.tolist()]
    assert torch.equal(graph["item", "rev_interacts", "user"].edge_index, edges.edge_index.flip(0))
    for split in (Split.VALIDATION, Split.TEST):
        held = data.interactions.of(split)
        assert edges[f"{split.label}_edge_label_index"].tolist() == [held.user.tolist(), held.item.tolist()]
    for name in data.feature_names:
        assert torch.equal(graph["item"][f"x_{name}"], torch.from_numpy(data.features(name).matrix))
        assert torch.equal(graph["item"][f"has_{name}"], torch.from_numpy(data.features(name).present))
    assert graph["item"].external_id[3] == data.items["id"][3]


def test_without_features_there_is_no_item_graph(data):
    graph = to_hetero(data, [])
    assert ("item", "similar", "item") not in graph.edge_types


def test_round_trip(data):
    again = Dataset.from_hetero(to_hetero(data, cache=False))
    assert again.counts() == data.counts()
    assert sorted(again.interactions.keys().tolist()) == sorted(data.interactions.keys().tolist())
    assert again.feature_names == data.feature_names


def test_unknown_features(data):
    with pytest.raises(InputError, match="no features 'audio'"):
        to_hetero(data, ["audio"])


def test_unknown_scaling(data):
    with pytest.raises(InputError, match=r"unknown scaling; allowed: .* \(got 'double'\)"):
        to_hetero(data, scaling="double")
