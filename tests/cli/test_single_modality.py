"""Data sets with one modality: what 'pretrain' says is what works."""

import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from alignrec_geo.dataset import Dataset, Features, SplitConfig, make_catalogue
from alignrec_geo.serving import load_cold_items
from tests.content.encoders.tiny_encoders import text_folder, vision_folder

SMALL = ["--set", "epochs=1", "--set", "dim=8", "--json"]


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """A catalogue without images and features, some of its items cold."""
    made = make_catalogue(n_users=80, n_items=60, image_size=16).with_split(SplitConfig(rule="cold-items"))
    bare = Dataset("texts", made.interactions, made.users, made.items, made.split_config)
    return bare.save(tmp_path / "only texts").path


def commands(said: str) -> list[list[str]]:
    """The commands that a message names."""
    found = re.findall(r"'(alignrec-geo .*?)'(?= and|, then|\.|$)", said.strip(), re.MULTILINE)
    return [shlex.split(command.replace("''", "'"))[1:] for command in found]


def test_texts_alone_from_the_refusal_to_new_items(verb, texts: Path, tmp_path: Path) -> None:
    refused = verb("pretrain", texts)
    refused.refused("has texts and no images, and 'pretrain' aligns the two. With texts alone")
    way = commands(refused.err)
    assert [line[:2] for line in way] == [["features", "extract"], ["features", "whiten"], ["train", str(texts)]]
    encoder = text_folder(tmp_path / "bert")
    assert verb(*way[0], "--encoder-text", encoder, "--cache", tmp_path / "cache").code == 0
    assert commands(verb("pretrain", texts).err) == way[1:]
    assert commands(verb("pretrain", texts, "--encoder", "features").err) == way[1:]
    done = verb(*way[1])
    assert done.code == 0, done.err
    assert re.search(
        r"features 'text-white', \d+ of 60 items, width 8; common share [\d.]+% before, 0.0% now", done.out
    )
    run = tmp_path / "run"
    trained = verb(*[str(run) if part == "RUN" else part for part in way[2]], *SMALL)
    assert trained.code == 0, trained.err
    assert json.loads(trained.out)["features"] == ["text-white"]
    assert "text-white" in verb("probe", texts, "--features", "text,text-white").out
    white = Dataset.open(texts).features("text-white").matrix
    raw = Dataset.open(texts).features("text").matrix
    lines = [
        {"id": "n-1", "title": "a red mug", "text": "red ."},
        {"id": "n-2"},
        {"id": "n-3", "features": {"text": raw[5].tolist()}},
        {"id": "n-4", "features": {"text-white": white[5].tolist()}},
    ]
    (tmp_path / "new.jsonl").write_text("\n".join(map(json.dumps, lines)))
    source = ["--encoder", f"text-white={encoder}", "--items", tmp_path / "new.jsonl", "--json"]
    made = json.loads(verb("embed", run, *source).out)
    assert (made["items"], made["left_out"]) == (3, ["n-2"])
    found = load_cold_items(run / "cold.safetensors", run / "embeddings.safetensors")
    rows = dict(zip(found.ids, found.vectors, strict=True))
    np.testing.assert_allclose(rows["n-3"], rows["n-4"], atol=1e-5)


def test_images_alone(verb, tmp_path: Path) -> None:
    made = make_catalogue(n_users=60, n_items=40, image_size=16).save(tmp_path / "c")
    bare = made.items.with_columns(
        pl.lit(None, dtype=pl.String).alias("title"), pl.lit(None, dtype=pl.String).alias("text")
    )
    folder = (
        Dataset("images", made.interactions, made.users, bare, path=made.path, images=None).save(tmp_path / "d").path
    )
    shutil.rmtree(folder / "features", ignore_errors=True)
    manifest = json.loads((folder / "dataset.json").read_text())
    manifest["files"] = {name: sha for name, sha in manifest["files"].items() if not name.startswith("features/")}
    (folder / "dataset.json").write_text(json.dumps(manifest))
    refused = verb("pretrain", folder)
    refused.refused("has images and no texts", "With texts too, import it with --items")
    way = commands(refused.err)
    assert verb(*way[0], "--encoder-image", vision_folder(tmp_path / "vit"), "--cache", tmp_path / "cache").code == 0
    assert verb(*way[1]).code == 0
    assert Dataset.open(folder).features("image-white").present.any()


def test_nothing_to_align(verb, texts: Path, tmp_path: Path) -> None:
    made = Dataset.open(texts)
    ids = pl.DataFrame({"id": made.items["id"], **{name: [None] * 60 for name in ("title", "text", "image")}})
    ids = ids.with_columns(pl.col("title", "text", "image").cast(pl.String))
    bare = Dataset("bare", made.interactions, made.users, ids).save(tmp_path / "bare")
    verb("pretrain", bare.path).refused("has neither images nor texts", "--feature")
    verb("pretrain", bare.path, "--encoder", "features").refused(
        "has no feature matrices to align", "--feature NAME=FILE"
    )
    verb("pretrain", bare.path, "--encoder", "features", "--features", "sound").refused("has no features 'sound'")


def test_content_models_without_features_say_so(verb, texts: Path, tmp_path: Path) -> None:
    done = verb("train", texts, "--model", "alignrec", "--out", tmp_path / "a", *SMALL)
    assert done.code == 0, done.err
    assert "note: data set 'texts' has no features; alignrec runs on ids alone, or not at all" in done.err
    asked = verb("train", texts, "--features", "none", "--out", tmp_path / "b", *SMALL)
    assert "ids alone" not in asked.err
    verb("train", texts, "--model", "vbpr", "--out", tmp_path / "c").refused("VBPR needs at least one feature matrix")
    assert "ids alone" not in verb("train", texts, "--model", "lightgcn", "--out", tmp_path / "d", *SMALL).err
    several = verb("compare", texts, "--models", "mgcn,lightgcn,alignrec", "--seeds", "0", "--out", tmp_path / "e")
    several.refused("seeds must be at least 1")
    assert "note: data set 'texts' has no features; mgcn, alignrec run on ids alone" in several.err
    one = verb("tune", texts, "--model", "bm3", "--trials", "0", "--out", tmp_path / "f")
    assert "bm3 runs on ids alone" in one.err


def test_whiten_prints_one_object_and_refuses(verb, tmp_path: Path) -> None:
    folder = make_catalogue(n_users=60, n_items=40, image_size=16).save(tmp_path / "d").path
    done = json.loads(
        verb("features", "whiten", folder, "--from", "image", "--name", "w", "--shrink", "0.5", "--json").out
    )
    assert (done["features"], done["from"], done["shrink"], done["dataset"]) == ("w", "image", 0.5, "catalogue")
    assert done["common_share"]["after"] < 1e-6
    verb("features", "whiten", folder, "--from", "image", "--name", "w").refused("'w' already", "--overwrite")
    verb("features", "whiten", folder, "--from", "image", "--shrink", "0").refused("above 0")
    verb("features", "whiten", folder, "--from", "image", "--name", "image").refused("--name")
    constant = Features("flat", np.ones((40, 2), dtype=np.float32), np.ones(40, dtype=bool))
    Dataset.open(folder).store_features(constant)
    verb("features", "whiten", folder, "--from", "flat").refused("are the same for all 40 items")
    assert not (folder / "encoders" / "flat-white").exists()
