"""100 kills at random moments: equal results, nothing stuck, nothing left behind."""

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from alignrec_geo.dataset import Dataset, make_catalogue
from tests.content.colours import coloured_encoders, coloured_things
from tests.kills.runner import Victim, existing, hashes, records, without_times

pytestmark = pytest.mark.slow

TRAIN = ("--set", "epochs=4", "--set", "dim=8", "--set", "batch_size=256")


@pytest.fixture(scope="module", autouse=True)
def _importable(module_monkeypatch: pytest.MonkeyPatch) -> None:
    module_monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))


@pytest.fixture(scope="module")
def module_monkeypatch():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory) -> Path:
    return make_catalogue(n_users=80, n_items=50, image_size=16).save(tmp_path_factory.mktemp("data") / "shop").path


@pytest.fixture(scope="module")
def things(tmp_path_factory) -> Path:
    """A data set of images and texts, and tiny encoders for them, in one folder."""
    root = tmp_path_factory.mktemp("things")
    coloured_things(root, items=60)
    coloured_encoders(root)
    return root


def copied(source: Path):
    return lambda folder: shutil.copytree(source, folder / source.name)


def opens(name: str):
    """The data set is there at every moment, with every feature matrix."""

    def check(folder: Path) -> None:
        data = Dataset.open(folder / name)
        for feature in data.feature_names:
            data.features(feature)

    return check


def stored(name: str):
    return lambda folder: hashes(folder / name, "last.safetensors", "metrics.jsonl")


def imported(line, catalogue, overwrite):
    """An import to ``out``, where a data set stands already if it is to be overwritten: it is whole at any time."""

    def whole(folder: Path) -> None:
        if overwrite:
            Dataset.open(folder / "out")
        for _ in existing(folder / "out"):
            Dataset.open(folder / "out")

    before = (lambda folder: shutil.copytree(catalogue, folder / "out")) if overwrite else (lambda folder: None)
    return Victim(line, line, whole, stored("out"), before)


@pytest.mark.parametrize("overwrite", [False, True])
def test_data_import(catalogue, things, tmp_path, overwrite):
    data = Dataset.open(things / "colours")
    pairs = {"user": data.users["id"][data.interactions.user], "item": data.items["id"][data.interactions.item]}
    pl.DataFrame(pairs).write_csv(tmp_path / "clicks.csv")
    data.items.select("id", "title", "text").rename({"id": "item"}).write_csv(tmp_path / "items.csv")
    inputs = ("../clicks.csv", "--items", "../items.csv", "--title", "title", "--text", "text")
    line = ("data", "import", "table", *inputs, "--images", things / "photos", "--out", "out", "--overwrite")

    imported(line, catalogue, overwrite).suffer(tmp_path, kills=9, seed=1 + overwrite)


@pytest.mark.parametrize("overwrite", [False, True])
def test_data_import_within_a_memory(catalogue, tmp_path, overwrite):
    pytest.importorskip("duckdb", reason="alignrec-geo[stream] is not installed")
    draw = np.random.default_rng(0)
    rows = {"user": draw.integers(0, 900, 60_000), "item": draw.integers(0, 300, 60_000)}
    pl.DataFrame(rows).write_csv(tmp_path / "clicks.csv")
    line = ("data", "import", "table", "../clicks.csv", "--k-core", 3, "--memory", "2GB", "--out", "out", "--overwrite")

    imported(line, catalogue, overwrite).suffer(tmp_path, kills=9, seed=30 + overwrite)


@pytest.mark.parametrize("out", [(), ("--out", "new", "--overwrite")])
def test_data_split(catalogue, tmp_path, out):
    line = ("data", "split", "shop", "--rule", "random", "--seed", 3, *out)
    made = "new" if out else "shop"
    Victim(line, line, opens("shop"), stored(made), copied(catalogue)).suffer(tmp_path, kills=9, seed=3 + len(out))


def test_features_extract(things, tmp_path):
    encoders = ("--encoder-image", things / "vit", "--encoder-text", things / "bert")
    line = ("features", "extract", "colours", "--cache", "tokens", *encoders, "--overwrite")
    data = things / "colours"
    Victim(line, line, opens("colours"), stored("colours"), copied(data)).suffer(tmp_path, kills=16, seed=5)


@pytest.mark.parametrize("anew", [False, True])
def test_pretrain(catalogue, tmp_path, anew):
    small = ("--set", "dim=8", "--set", "heads=2", "--set", "layers=1", "--set", "epochs=5", "--set", "batch_size=8")
    line = ("pretrain", "shop", "--encoder", "features", "--features", "image,text", "--name", "mine", *small)

    def before(folder: Path) -> None:
        shutil.copytree(catalogue, folder / "shop")
        if anew:
            shutil.copytree(trained / "shop", folder / "shop", dirs_exist_ok=True)

    def result(folder: Path):
        return stored("shop")(folder), records(folder / "shop" / "encoders" / "mine" / "metrics.jsonl")

    trained = tmp_path / "trained"
    if anew:
        from tests.kills.runner import complete

        trained.mkdir()
        shutil.copytree(catalogue, trained / "shop")
        complete((*line, "--seed", 9), trained)
    last = "--overwrite" if anew else "--resume"
    Victim((*line, last), (*line, last), opens("shop"), result, before).suffer(tmp_path, kills=9, seed=6 + anew)


def run_result(folder: Path):
    kept = hashes(folder / "run", "last.safetensors", "metrics.jsonl", "result.json", "report.html", "best.safetensors")
    kept = {name: digest for name, digest in kept.items() if not name.startswith("tensorboard/")}
    result = without_times(json.loads((folder / "run" / "result.json").read_text()))
    return kept, result, records(folder / "run" / "metrics.jsonl")


def test_train(catalogue, tmp_path):
    line = ("train", catalogue, "--out", "run", *TRAIN)

    def whole(folder: Path) -> None:
        for _ in existing(folder / "run"):
            Dataset.open(folder / "run" / "dataset")

    Victim(line, (*line, "--resume"), whole, run_result).suffer(tmp_path, kills=18, seed=8)


def test_compare(catalogue, tmp_path):
    line = ("compare", catalogue, "--out", "cmp", "--models", "popularity,bpr", "--seeds", 1, "--set", "bpr.epochs=2")

    def result(folder: Path):
        return without_times(json.loads((folder / "cmp" / "results.json").read_text()))

    Victim(line, line, lambda folder: None, result).suffer(tmp_path, kills=12, seed=9)
