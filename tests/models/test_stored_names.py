"""What a checkpoint of every model holds: parameters that train, by name and shape, and nothing made from the data."""

from pathlib import Path

import pytest

from alignrec_geo.checkpoint import trainable_state
from alignrec_geo.models import MODELS
from alignrec_geo.models.graph_model import GraphRecommender
from tests.golden_numbers import toy_graph

NAMES = [name for name, model in MODELS.items() if issubclass(model, GraphRecommender)]
GOLDEN = Path(__file__).parents[1] / "golden" / "checkpoints.txt"


def held(name):
    data = toy_graph("image", "text")
    for modality, missing in (("image", [1, 2]), ("text", [2, 5])):
        data["item"][f"has_{modality}"][missing] = False
    model = MODELS[name](data)
    return [f"{name} {key} {tuple(tensor.shape)}" for key, tensor in sorted(trainable_state(model).items())]


@pytest.mark.parametrize("name", NAMES)
def test_checkpoints_of_earlier_versions_fit(name):
    lines = GOLDEN.read_text(encoding="utf-8").splitlines()
    assert held(name) == [line for line in lines if line.startswith(f"{name} ")]
