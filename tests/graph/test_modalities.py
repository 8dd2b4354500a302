import pytest
import torch
from torch_geometric.data import HeteroData

from alignrec_geo.errors import InputError
from alignrec_geo.graph.modalities import feature_names, item_content


@pytest.fixture
def data() -> HeteroData:
    data = HeteroData()
    data["item"].num_nodes = 3
    data["item"].x_image = torch.tensor([[3.0, 4.0], [0.0, 2.0], [0.0, 0.0]])
    data["item"].has_image = torch.tensor([True, True, False])
    data["item"].x_text = torch.tensor([[10.0], [0.0], [5.0]])
    return data


def test_one_matrix_is_taken_as_it_is(data):
    x, present = item_content(data, ["image"])
    assert torch.equal(x, data["item"].x_image)
    assert present.tolist() == [True, True, False]


def test_several_are_scaled_to_unit_rows_and_put_side_by_side(data):
    x, present = item_content(data, ["image", "text"])
    torch.testing.assert_close(x, torch.tensor([[0.6, 0.8, 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))
    assert present.tolist() == [True, True, True]


def test_scaling_can_be_chosen(data):
    assert torch.equal(item_content(data, ["image", "text"], "none")[0][:, :2], data["item"].x_image)
    torch.testing.assert_close(item_content(data, ["image"], "row")[0][0], torch.tensor([0.6, 0.8]))


def test_without_a_mask_zero_rows_are_missing(data):
    assert item_content(data, ["text"])[1].tolist() == [True, False, True]


def test_none_and_unknown(data):
    x, present = item_content(data, [])
    assert x.shape == (3, 0)
    assert not present.any()
    assert feature_names(data) == ["image", "text"]
    with pytest.raises(InputError, match="no features 'audio'; there are: image, text"):
        item_content(data, ["audio"])


@pytest.mark.parametrize("x", [torch.ones(4), torch.ones(4, 0), torch.ones(4, 2, dtype=torch.complex64)])
def test_what_is_no_matrix_of_numbers(data, x):
    data["item"].x_odd = x
    with pytest.raises(InputError, match=r"must be a matrix of numbers \[items, width\]"):
        item_content(data, ["odd"], "unit")
