"""``embed`` and ``recommend --include-cold`` as people run them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from alignrec_geo.dataset import Dataset, Features, SplitConfig, make_catalogue
from alignrec_geo.serving import load_cold_items
from tests.content.encoders.tiny_encoders import text_folder, vision_folder
from tests.dataset.toys import png

TRAINED = ("--set", "epochs=2", "--set", "dim=8", "--json")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("embed")


@pytest.fixture(scope="module")
def encoders(folder) -> list[str]:
    """Options that name the tiny encoders that the features are made with."""
    return [
        "--encoder",
        f"tiny-image={vision_folder(folder / 'vit')}",
        "--encoder",
        f"tiny-text={text_folder(folder / 'bert')}",
    ]


@pytest.fixture
def data(folder, encoders, verb) -> Dataset:
    """A catalogue with cold items, features of tiny encoders, and an imported matrix."""
    path = folder / "catalogue"
    if not path.exists():
        made = make_catalogue(n_users=80, n_items=60, image_size=16).with_split(SplitConfig(rule="cold-items"))
        plain = Features("plain", np.random.default_rng(0).random((60, 3), dtype=np.float32), np.ones(60, dtype=bool))
        made.with_features(plain).save(path)
        done = verb(
            *("features", "extract", path, "--name", "tiny", "--cache", folder / "cache"),
            *("--encoder-image", folder / "vit", "--encoder-text", folder / "bert"),
        )
        assert done.code == 0, done.err
    return Dataset.open(path)


@pytest.fixture
def run(folder, data, verb) -> Path:
    """A run on the features of the tiny encoders, with no cold items yet."""
    out = folder / "run"
    if not out.exists():
        done = verb("train", data.path, "--out", out, "--features", "tiny-image,tiny-text", *TRAINED)
        assert done.code == 0, done.err
    (out / "cold.safetensors").unlink(missing_ok=True)
    return out


@pytest.fixture
def new(tmp_path) -> Path:
    """Three new items: with everything, with a broken image only, with a text only."""
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "red.png").write_bytes(png((220, 30, 30), size=16))
    (photos / "bad.png").write_bytes(b"not an image")
    lines = [
        {"id": "n-1", "title": "a red mug", "text": "red .", "image": "red.png"},
        {"id": "n-2", "image": "bad.png"},
        {"id": "n-3", "text": "a blue pen"},
    ]
    file = tmp_path / "new.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)))
    return file


def cold_rows(data: Dataset) -> set[str]:
    return set(data.items["id"].to_numpy()[data.interactions.of(0).item_degree() == 0].tolist())


def test_new_items_are_embedded_and_recommended(cli, verb, data, run, new, encoders):
    line = ("embed", run, "--items", new, "--images", new.parent / "photos", *encoders)
    made = json.loads(cli(*line, "--json", check=0).stdout)
    assert made["features"] == ["tiny-image", "tiny-text"]
    assert (made["items"], made["own"], made["left_out"]) == (2, len(cold_rows(data)), ["n-2"])
    assert made["broken"] == {"n-2": "not an image"}
    assert (made["k"], made["width"]) == (10, 8)
    stored = load_cold_items(run / "cold.safetensors", run / "embeddings.safetensors")
    assert set(stored.ids) == {"n-1", "n-3"} | cold_rows(data)
    assert dict(zip(stored.ids, stored.titles, strict=True))["n-1"] == "a red mug"

    user = data.users["id"][0]
    everything = ("recommend", run, "--user", user, "-k", 100)
    got = json.loads(cli(*everything, "--include-cold", "--json", check=0).stdout)["users"][user]
    by_id = {entry["item"]: entry for entry in got}
    assert {"n-1", "n-3"} <= by_id.keys()
    assert {name for name, entry in by_id.items() if entry["cold"]} <= {"n-1", "n-3"} | cold_rows(data)
    assert [entry["score"] for entry in got] == sorted((entry["score"] for entry in got), reverse=True)
    without = json.loads(verb(*everything, "--json").out)["users"][user]
    assert "n-1" not in {entry["item"] for entry in without}
    warm = {entry["item"]: entry["score"] for entry in without if not entry["cold"]}
    assert warm == {name: entry["score"] for name, entry in by_id.items() if not entry["cold"]}

    shown = verb(*line)
    assert "the image of item 'n-2' cannot be read (not an image)" in shown.err
    assert "item 'n-2' has no content that the features know; left out" in shown.err
    assert f"2 new items and {len(cold_rows(data))} of the data set" in shown.out
    assert "cold" in verb(*everything, "--include-cold").out


def test_the_data_sets_own_items_and_another_file(verb, data, run, tmp_path):
    done = verb("embed", run, "--out", tmp_path / "own.safetensors", "-k", 3, "--json")
    made = json.loads(done.out)
    assert (made["items"], made["own"], made["k"]) == (0, len(cold_rows(data)), 3)
    assert set(load_cold_items(tmp_path / "own.safetensors", run / "embeddings.safetensors").ids) == cold_rows(data)
    assert not (run / "cold.safetensors").exists()
    verb("recommend", run, "--user", data.users["id"][0], "--include-cold").refused("no vectors of cold items yet")


def test_an_imported_matrix_needs_rows_of_the_items(verb, data, tmp_path):
    run = tmp_path / "run"
    assert verb("train", data.path, "--out", run, "--features", "plain", *TRAINED).code == 0
    file = tmp_path / "new.jsonl"
    file.write_text('{"id": "n-1", "features": {"plain": [1, 0, 2]}}\n{"id": "n-2", "title": "a red mug"}\n')
    made = json.loads(verb("embed", run, "--items", file, "--json").out)
    assert (made["items"], made["left_out"]) == (1, ["n-2"])
    file.write_text('{"id": "n-2", "title": "a red mug"}\n')
    verb("embed", run, "--items", file).refused("features 'plain'", "must bring their own vectors")


def test_bad_input_leaves_nothing(verb, data, run, new, encoders, tmp_path):
    file = tmp_path / "bad.jsonl"
    file.write_text('{"id": "n-1"}\n{"id": "n-1"}\n')
    verb("embed", run, "--items", file, *encoders).refused("bad.jsonl, line 2: item 'n-1' is on line 1 already")
    file.write_text(json.dumps({"id": data.items["id"][0]}))
    verb("embed", run, "--items", file, *encoders).refused("line 1", "is in data set", "already")
    verb("embed", run, "--items", tmp_path / "absent.jsonl").refused("no such file")
    verb("embed", run, "--images", tmp_path).refused("--images goes with --items")
    verb("embed", tmp_path).refused("not a run folder")
    verb("embed", run, "--items", new, "--encoder", "sound=x").refused("NAME=FOLDER", "tiny-image", "got 'sound=x'")
    swapped = ("--encoder", f"tiny-text={text_folder(tmp_path / 'other', seed=1)}", *encoders[:2])
    verb("embed", run, "--items", new, *swapped).refused("features 'tiny-text' were made by the encoder 'bert'")
    verb("embed", run, "--dataset", tmp_path / "absent").refused("no such data set folder")
    other = data.with_split(SplitConfig(rule="random")).save(tmp_path / "other-split")
    verb("embed", run, "--dataset", other.path).refused("not the data set that", "was trained on")
    assert not (run / "cold.safetensors").exists()


def test_a_moved_data_set_and_a_model_without_features(verb, data, tmp_path):
    shutil.copytree(data.path, tmp_path / "here")
    run = tmp_path / "run"
    assert verb("train", tmp_path / "here", "--out", run, "--features", "plain", *TRAINED).code == 0
    (tmp_path / "here").rename(tmp_path / "there")
    verb("embed", run).refused("no such data set folder", "was moved, pass --dataset DIR")
    assert verb("embed", run, "--dataset", tmp_path / "there").code == 0
    bare = tmp_path / "bare"
    assert verb("train", data.path, "--out", bare, "--model", "lightgcn", *TRAINED).code == 0
    verb("embed", bare).refused("a model without features knows nothing of new items")
