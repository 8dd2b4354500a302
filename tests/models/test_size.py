"""The memory that settings need is never more than what the model really takes."""

import pytest

from alignrec_geo.models import MODELS
from alignrec_geo.models.graph_model import GraphRecommender
from alignrec_geo.models.size import trained
from tests.golden_numbers import toy_graph

SQUARE = {"alignrec": 1, "alignrec-plus": 1, "bm3": 1, "mgcn": 2, "slmrec": 2}


def test_a_trained_number_takes_four_floats():
    assert trained(10) == 10 * 4 * 4  # itself, its gradient, Adam's two moments


@pytest.mark.parametrize("name", [name for name, model in MODELS.items() if issubclass(model, GraphRecommender)])
def test_maps_that_are_counted_are_there(name):
    assert MODELS[name].dense_maps == SQUARE.get(name, 0)
    config = {"dim": 48} if "dim" in MODELS[name].config_class.model_fields else {}
    model = MODELS[name](toy_graph("image", "text"), config=config)
    dense = sum(parameter.numel() for parameter in model.parameters() if max(parameter.shape) <= 48 * 3)
    assert dense >= MODELS[name].dense_maps * 48 * 48
