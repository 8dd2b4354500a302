"""Stage 1 as people run it."""

import json
from pathlib import Path

import numpy as np
import pytest

from alignrec_geo.cli import pretrain as pretraining
from alignrec_geo.content.pretraining import align as aligning
from alignrec_geo.dataset import Dataset, make_catalogue
from tests.content.colours import coloured_encoders, coloured_things

SMALL = [
    *("--set", "hidden=16", "--set", "dim=8", "--set", "layers=1", "--set", "heads=2", "--set", "codes=4"),
    *("--set", "drawings=1", "--set", "epochs=2", "--set", "batch_size=32", "--set", "precision=float32"),
]


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    """Tiny encoders, a cache of their own, and few of everything."""
    image, text = coloured_encoders(tmp_path)
    return ["--encoder-image", image, "--encoder-text", text, "--cache", str(tmp_path / "cache"), *SMALL]


def test_pretrain_then_train_probe_and_export(verb, tmp_path: Path, options: list[str]) -> None:
    folder = coloured_things(tmp_path).path
    done = verb("pretrain", folder, "--encoder", "package", *options, "--json")  # former names are understood
    assert done.code == 0, done.err
    made = json.loads(done.out)
    assert made["features"] == "aligned-package"
    assert (made["items"], made["width"], made["epochs"]) == (240, 8, 2)
    assert set(made["held_out"]) == {"words", "words shuffled", "patches", "patches shuffled"}
    assert Dataset.open(folder).features("aligned-package").present.all()
    encoder = folder / "encoders" / "aligned-package"
    assert sorted(file.name for file in encoder.iterdir()) == ["config.json", "metrics.jsonl", "model.safetensors"]

    run = ["--features", "aligned-package", "--set", "epochs=1", "--out", tmp_path / "run", "--json"]
    assert json.loads(verb("train", folder, *run).out)["features"] == ["aligned-package"]
    assert "aligned-package" in verb("probe", folder, "--features", "aligned-package").out
    exported = verb("features", "export", folder, "--features", "image=aligned-package", "--out", tmp_path / "field")
    assert exported.code == 0, exported.err
    matrix = np.load(tmp_path / "field" / "image_feat.npy")
    assert np.array_equal(matrix, Dataset.open(folder).features("aligned-package").matrix)


def test_pretrain_again(verb, tmp_path: Path, options: list[str]) -> None:
    folder = coloured_things(tmp_path, items=60).path
    shown = verb("pretrain", folder, *options, "--name", "mine", "--whiten", "none")
    assert shown.code == 0, shown.err
    assert "features 'mine', 60 of 60 items, width 8; 2 epochs" in shown.out
    assert "right partner" in shown.out
    first = Dataset.open(folder).features("mine").matrix
    verb("pretrain", folder, *options, "--name", "mine").refused("'mine' already", "--resume", "--overwrite")
    again = verb("pretrain", folder, *options, "--name", "mine", "--whiten", "none", "--overwrite")
    assert again.code == 0, again.err
    assert np.array_equal(Dataset.open(folder).features("mine").matrix, first)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "epoch=3"], ["unknown setting 'epoch'", "did you mean 'loop.epochs'?"]),
        (["--set", "word_ratio=2"], ["encoder.word_ratio", "less than 1", "(got 2)"]),
        (["--whiten", "-1"], ["--whiten takes a number above 0, or 'none' (got '-1')"]),
        (["--whiten", "much"], ["--whiten takes a number above 0, or 'none' (got 'much')"]),
        (["--resume", "--overwrite"], ["pass one of them"]),
        (["--encoder-text", "nowhere"], ["got 'nowhere'"]),
        (["--set", "hidden=10", "--set", "heads=4"], ["heads must divide dim"]),
    ],
)
def test_wrong_requests(verb, tmp_path: Path, options: list[str], arguments: list[str], said: list[str]) -> None:
    folder = coloured_things(tmp_path, items=60).path
    before = sorted(folder.rglob("*"))
    verb("pretrain", folder, *options, *arguments).refused(*said)
    assert sorted(folder.rglob("*")) == before


def test_no_content(verb, tmp_path: Path, options: list[str]) -> None:
    data = coloured_things(tmp_path, items=60)
    bare = data.save(tmp_path / "bare", content=False)
    verb("pretrain", bare.path, *options).refused("no images")


def test_feature_matrices_are_aligned_without_images(verb, tmp_path: Path) -> None:
    folder = make_catalogue(n_users=60, n_items=80, image_size=16).save(tmp_path / "catalogue").path
    small = ["--set", "dim=16", "--set", "heads=2", "--set", "layers=1", "--set", "epochs=2"]
    done = verb("pretrain", folder, "--encoder", "features", "--features", "image,text", *small, "--json")
    assert done.code == 0, done.err
    made = json.loads(done.out)
    assert (made["features"], made["width"]) == ("aligned-features", 16)
    assert set(made["held_out"]) == {"image", "image shuffled", "text", "text shuffled"}
    probed = verb("probe", folder, "--features", "image,aligned-features")
    assert probed.code == 0, probed.err


def test_beit3_learns_from_pixels_and_is_opened_again(verb, tmp_path: Path) -> None:
    data = coloured_things(tmp_path, items=60)
    small = [
        "--set",
        "dim=16",
        "--set",
        "heads=2",
        "--set",
        "layers=1",
        "--set",
        "epochs=1",
        "--set",
        "image_target=pixels",
    ]
    done = verb("pretrain", data.path, "--encoder", "beit3-tiny", *small, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["features"] == "aligned-beit3-tiny"
    hidden = ["--features", "aligned-beit3-tiny", "--set", "epochs=1", "--json"]
    rows = json.loads(verb("mask-modality", data.path, *hidden).out)["rows"]
    assert [row["hidden"] for row in rows] == [None, "image", "text", "aligned-beit3-tiny"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--checkpoint", "x.pth"], "--checkpoint is for --encoder beit3-tiny or beit3-base (got 'frozen')"),
        (["--features", "image"], "--features is for --encoder features (got 'frozen')"),
        (["--encoder", "features", "--features", "image"], "aligns two or more feature matrices (got image)"),
        (["--encoder", "beit3-base", "--checkpoint", "x.pth"], "its tokenizer is needed, too: beit3.spm"),
    ],
)
def test_options_of_another_encoder(verb, tmp_path: Path, arguments: list[str], said: str) -> None:
    folder = make_catalogue(n_users=60, n_items=40, image_size=16).save(tmp_path / "catalogue").path
    verb("pretrain", folder, *arguments).refused(said)


def test_ctrl_c_says_how_to_go_on(verb, tmp_path: Path, options: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(aligning, "align", stopped)
    done = verb("pretrain", coloured_things(tmp_path, items=60).path, *options)
    assert done.code == 130
    assert "stopped; every finished epoch is saved, go on with --resume" in done.err


def test_the_rate_of_a_gpu_is_told_where_there_is_one() -> None:
    rate = pretraining._rate
    assert rate([]) == rate([{"loss": 1.0}]) == ""
    assert rate([{"items_per_second": 1234.5, "gpu_busy": 0.876}]) == "; 1,234 items a second, GPU busy 88 %"
