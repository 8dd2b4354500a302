"""What lacks a modality is given none of it, whichever layer stands where."""

import torch
from torch import nn

from alignrec_geo.graph.hetero import INTERACTS
from alignrec_geo.models import MGCN
from tests.golden_numbers import toy_graph

LACKING = {"image": [1, 2], "text": [2, 5]}


class Shifted(nn.Module):
    """A layer that gives something to every node."""

    def forward(self, x, edge_index, edge_weight=None):
        return x + 1.0

    def reset_parameters(self):
        pass


def graph():
    data = toy_graph("image", "text")
    for name, rows in LACKING.items():
        data["item"][f"has_{name}"][rows] = False
    return data


def test_a_layer_with_a_bias_gives_items_without_a_modality_nothing():
    model = MGCN(graph(), item_item_conv=Shifted())
    items = model.views().items.view(40, 2, -1)
    for number, rows in enumerate(LACKING.values()):
        held = torch.ones(40, dtype=torch.bool)
        held[rows] = False
        assert not items[rows, number].any()
        assert items[held, number].all()


def test_one_training_item_is_enough_for_a_user_to_have_its_modalities():
    data = graph()
    data[INTERACTS].edge_index = torch.tensor([[0, 1, 2, 2, 3], [1, 2, 1, 5, 7]])
    present = MGCN(data).present
    assert present[:5].tolist() == [[False, True], [False, False], [True, True], [True, True], [False, False]]
    assert present[60:].sum(dim=0).tolist() == [38, 38]
    assert MGCN(toy_graph("image", "text")).present is None
