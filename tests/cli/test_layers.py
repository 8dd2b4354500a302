"""Layers from the command line: by name, and by the path of a class that the reader wrote in the current folder."""

import json
import re
from pathlib import Path

import pytest
import yaml

from alignrec_geo.dataset import make_catalogue
from tests.in_this_process import runs_in_this_process

PAGE = Path(__file__).resolve().parents[2] / "docs" / "custom-layer.md"


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    return make_catalogue(n_users=60, n_items=40, image_size=16).save(tmp_path_factory.mktemp("data") / "catalogue")


def parameters(run):
    return yaml.safe_load((run / "config.yaml").read_text())["parameters"]


@pytest.mark.slow
def test_the_layer_of_the_documentation_trains_by_its_path_and_goes_on(catalogue, cli, process, tmp_path):
    block = re.search(r"^```python\n(.*?)^```$", PAGE.read_text(), flags=re.DOTALL | re.MULTILINE)
    (tmp_path / "mylayers.py").write_text(block[1])
    line = ("train", catalogue.path, "--user-item-conv", "mylayers.MyConv", "--out", "run", "--set", "epochs=2")
    process(*line, check=0)
    assert parameters(tmp_path / "run")["user_item_conv"] == "mylayers.MyConv"
    cli(*line, "--resume", check=0)
    assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) == 2


def test_names_and_settings(catalogue, verb, tmp_path):
    out = tmp_path / "run"
    options = ("--set", "user_conv=gcn", "--set", "fusion=gate", "--set", "losses=bpr + directau(0.1)")
    line = ("train", catalogue.path, "--user-item-conv", "[sage, light]", "--item-item-conv", "gcn", *options)
    done = verb(*line, "--set", "epochs=1", "--out", out)
    assert done.code == 0, done.err
    assert parameters(out)["user_item_conv"] == ["sage", "light"]
    assert parameters(out)["item_item_conv"] == "gcn"
    (epoch,) = (json.loads(text) for text in (out / "metrics.jsonl").read_text().splitlines())
    assert set(epoch["loss"]) == {"bpr", "alignment", "uniformity"}


def test_bad_layers(catalogue, verb, tmp_path):
    line = ("train", catalogue.path, "--out", tmp_path / "out")
    verb(*line, "--user-item-conv", "svd").refused("parameters.user_item_conv: unknown layer", "light, lg", "'svd'")
    verb(*line, "--user-item-conv", "no_such.Conv").refused("there is no module 'no_such'")
    verb(*line, "--set", "losses=bpp").refused("losses: unknown term (got 'bpp')")
    verb(*line, "--set", "fusion=product").refused("fusion", "sum, mean")
    compared = ("compare", catalogue.path, "--out", tmp_path / "out")
    verb(*compared, "--user-item-conv", "light,svd").refused("unknown layer", "'svd'")
    verb(*compared, "--user-item-conv", "torch.nn.Nothing").refused("module 'torch.nn' has no 'Nothing'")
    verb(*compared, "--models", "bpr", "--user-item-conv", "light").refused("none of the models has a user-item layer")
    verb(*compared, "--user-item-conv", ",").refused("no layer given")
    assert list(tmp_path.iterdir()) == []


def test_one_table_of_layers(catalogue, verb, tmp_path):
    line = ("compare", catalogue.path, "--user-item-conv", "light,sage", "--set", "alignrec.epochs=1", "--seeds", 1)
    with runs_in_this_process():
        done = verb(*line, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    rows = {model["name"]: model for model in results["models"]}
    assert list(rows) == ["alignrec+light", "alignrec+sage"]
    assert {row["parameters"]["user_item_conv"] for row in rows.values()} == {"light", "sage"}
    light, sage = (rows[name]["runs"][0]["parameters"] for name in rows)
    assert sage - light == 2 * (2 * 64 * 64 + 64)
    for word in ("s/epoch", "MB", "weights", "alignrec+sage"):
        assert word in done.out


def test_one_table_of_variants(catalogue, verb, tmp_path):
    line = ("compare", catalogue.path, "--models", "bpr[dim=8],popularity", "--vary", "lr=0.01", "--set", "epochs=1")
    with runs_in_this_process():
        done = verb(*line, "--seeds", 1, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    rows = {model["name"]: model for model in results["models"]}
    assert list(rows) == ["bpr[dim=8]", "bpr[dim=8,lr=0.01]", "popularity"]
    assert [row["parameters"].get("dim") for row in rows.values()] == [8, 8, None]
    assert {row["training"]["lr"] for row in rows.values()} == {0.001, 0.01}
    assert "bpr[dim=8,lr=0.01]" in done.out
    assert "\\[dim=8,lr=0.01\\]" in (tmp_path / "out" / "table.md").read_text()
    assert (tmp_path / "out" / "runs" / "bpr[dim=8,lr=0.01]" / "seed-1" / "result.json").is_file()
    verb(*line, "--vary", "hops=3", "--out", tmp_path / "no").refused("no model compared has the settings", "hops=3")
    verb(*line, "--vary", "lr", "--out", tmp_path / "no").refused("key=value", "lr")
    assert not (tmp_path / "no").exists()
