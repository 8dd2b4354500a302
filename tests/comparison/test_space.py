"""Search spaces from files: what they become, and what is refused by file and key."""

import re
from pathlib import Path

import pytest

from alignrec_geo.comparison.space import Range, read_space
from alignrec_geo.errors import InputError


def space_of(tmp_path, text, model="lightgcn"):
    file = tmp_path / "space.yaml"
    file.write_text(text, encoding="utf-8")
    return read_space(file, model)


def test_lists_ranges_and_names(tmp_path):
    text = """
layers: [1, 3, 1]
parameters.dim: {low: 16, high: 64, steps: 3, log: true}
lr: {low: 1e-4, high: 1e-2, steps: 3, log: true}
training.weight_decay: [0.0]
conv_norm: [none, row]
"""
    assert space_of(tmp_path, text) == {
        "layers": [1, 3],
        "dim": [16, 32, 64],
        "training.lr": [0.0001, 0.001, 0.01],
        "training.weight_decay": [0.0],
        "conv_norm": ["none", "row"],
    }


def test_ranges():
    assert Range(low=0.0, high=1.0).values(whole=False) == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert Range(low=1, high=10, steps=4).values(whole=True) == [1, 4, 7, 10]
    assert all(isinstance(value, int) for value in Range(low=1, high=3).values(whole=True))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("layer: [1]", "unknown setting 'layer' .did you mean 'parameters.layers'"),
        ("model.layers: [1]", "unknown setting 'model.layers'"),
        ("layers: 3", r"layers: a list of values is needed, or a range .* \(got 3\)"),
        ("layers: []", "layers: a list of values is needed"),
        ("lr: {low: 0.1}", "lr.high: Field required"),
        ("lr: {low: 0.1, high: 0.01}", r"lr.high: must be more than low, which is 0.1 \(got 0.01\)"),
        ("lr: {low: 0, high: 1, log: true}", "lr.log: logarithms need a low above 0"),
        ("lr: {low: 0.1, high: 1, steps: 1}", "lr.steps: Input should be greater than or equal to 2"),
        ("lr: {low: 0.1, high: 1, step: 3}", "unknown setting 'lr.step' .did you mean 'steps'"),
        ("lr: [0.1]\ntraining.lr: [0.2]", "'training.lr' is named twice"),
        ("{}", "names no setting"),
        ("[1]", "must be key: value pairs"),
        ("lr: [", "not valid YAML"),
        ("layers: [2, -1]", r"parameters.layers: .*greater than or equal to 0 \(got -1\)"),
        ("layers: {low: 0.4, high: 200, steps: 2}", r"less than or equal to 100 \(got 200\)"),
        ("lr: [fast]", "training.lr: .*valid number"),
        ("user_item_conv: [light, os.system]", "os.system"),
    ],
)
def test_what_is_refused(tmp_path, text, words):
    with pytest.raises(InputError, match=words) as caught:
        space_of(tmp_path, text)
    assert str(caught.value).startswith(str(tmp_path / "space.yaml"))


def test_code_that_a_file_names_is_run_only_if_it_is_trusted(tmp_path):
    file = tmp_path / "space.yaml"
    file.write_text("user_item_conv: [light, mypackage.MyConv]\n")
    with pytest.raises(InputError, match=r"mypackage\.MyConv.*trust=True"):
        read_space(file, "lightgcn")
    assert read_space(file, "lightgcn", trust=True) == {"user_item_conv": ["light", "mypackage.MyConv"]}


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"absent\.yaml"):
        read_space(tmp_path / "absent.yaml", "bpr")


def test_the_example_of_the_documentation(tmp_path):
    page = (Path(__file__).resolve().parents[2] / "docs" / "tuning.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)
    assert space_of(tmp_path, text, "freedom") == {
        "layers": [1, 2, 3],
        "training.lr": [0.0003, 0.000965489, 0.00310723, 0.01],
        "reg_weight": [0.0, 1e-4, 1e-3],
        "training.batch_size": [1024, 2048],
    }
