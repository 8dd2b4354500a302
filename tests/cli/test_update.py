"""``update`` as people run it."""

import json

import numpy as np
import pytest
import yaml

from alignrec_geo import Dataset, load, make_catalogue
from alignrec_geo.dataset import Features
from alignrec_geo.errors import InputError
from alignrec_geo.training.run_config import RunConfig
from alignrec_geo.training.update import data_set_of

SMALL = ("--set", "dim=8", "--set", "epochs=2")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    made = make_catalogue(n_users=100, n_items=60, image_size=16)
    draw = np.random.default_rng(0).random((60, 3), dtype=np.float32)
    plain = Features("plain", draw, np.ones(60, dtype=bool))
    return made.with_features(plain).save(tmp_path_factory.mktemp("data") / "shop")


@pytest.fixture
def run(data, verb, tmp_path):
    done = verb("train", data.path, "--out", tmp_path / "run", "--features", "plain", *SMALL)
    assert done.code == 0, done.err
    return tmp_path / "run"


@pytest.fixture
def new(data, tmp_path):
    """New pairs and items: one of the items has a row of features."""
    first, second = data.items["id"][:2]
    lines = ["who,what,when", f"zoe,{first},1", f"zoe,{second},2", "zoe,n-1,3", f"{data.users['id'][0]},n-2,4"]
    (tmp_path / "new.csv").write_text("\n".join(lines))
    (tmp_path / "new.jsonl").write_text(
        json.dumps({"id": "n-1", "title": "A red mug", "text": "Red.", "features": {"plain": [0.5, 0.1, 0.9]}})
    )
    return ("--interactions", tmp_path / "new.csv", "--user", "who", "--item", "what", "--timestamp", "when")


def snapshot(folder):
    return {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_new_users_and_items_are_recommended_and_the_old_folders_untouched(data, run, new, verb, tmp_path):
    before = snapshot(run), snapshot(data.path)
    to = ("--out", tmp_path / "run2", "--data-out", tmp_path / "shop2")
    done = verb("update", run, *new, "--items", tmp_path / "new.jsonl", *to, "--epochs", 2, "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert told["new"] == {"pairs": 4, "known": 0, "users": 1, "items": 2}
    assert told["epochs"] == 2
    assert told["metrics"]["recall@20"] > 0
    assert (snapshot(run), snapshot(data.path)) == before
    config = yaml.safe_load((tmp_path / "run2" / "config.yaml").read_text())
    assert config["warm_start"] == str(run.resolve())
    assert config["dataset"] == str((tmp_path / "shop2").resolve())
    assert Dataset.open(tmp_path / "shop2").name == "shop2"
    made = Dataset.open(tmp_path / "shop2")
    assert made.items.tail(2)["title"].to_list() == ["A red mug", None]
    assert made.features("plain").matrix[60].tolist() == pytest.approx([0.5, 0.1, 0.9])
    shown = json.loads(verb("recommend", tmp_path / "run2", "--user", "zoe", "--json").out)["users"]["zoe"]
    assert len(shown) == 10
    assert "n-1" not in {one["item"] for one in shown}
    similar = json.loads(verb("similar", tmp_path / "run2", "--item", "n-1", "--json").out)
    assert len(similar["similar"]) == 10
    assert load(tmp_path / "run2").n_users == 101
    again = verb("train", tmp_path / "shop2", "--out", tmp_path / "run2", "--resume", "--set", "epochs=3")
    assert again.code == 0, again.err


def test_a_refit_is_updated_on_all_pairs(data, run, new, verb, tmp_path):
    refit = tmp_path / "refit"
    assert verb("train", data.path, "--out", refit, "--refit", "--like", run).code == 0
    done = verb("update", refit, *new, "--data-out", tmp_path / "shop2", "--epochs", 1)
    assert done.code == 0, done.err
    told = json.loads((tmp_path / "refit-updated" / "result.json").read_text())
    assert (told["chosen_by"], told["epochs"]) == ("refit", 1)
    assert Dataset.open(tmp_path / "refit-updated" / "dataset").counts()["train"] == len(data.interactions) + 4
    assert Dataset.open(tmp_path / "shop2").counts()["test"] == data.counts()["test"]


def test_what_cannot_be_updated_leaves_nothing(data, run, new, verb, tmp_path):
    to = ("--out", tmp_path / "run2", "--data-out", tmp_path / "shop2")
    verb("update", tmp_path / "none", *new, *to).refused("none")
    verb("update", run, "--interactions", tmp_path / "none.csv", *to).refused("none.csv")
    verb("update", run, "--interactions", tmp_path / "new.csv", *to).refused("'user'")
    verb("update", run, *new, *to, "--dataset", tmp_path / "none").refused("--dataset")
    verb("update", run, *new, *to, "--set", "lr=-1").refused("training.lr")
    verb("update", run, *new, "--out", run, "--data-out", tmp_path / "shop2").refused("holds a run already")
    verb("update", run, *new, "--out", tmp_path / "run2", "--data-out", data.path).refused(str(data.path))
    (tmp_path / "bad.jsonl").write_text('{"id": "n-1", "colour": "red"}')
    verb("update", run, *new, *to, "--items", tmp_path / "bad.jsonl").refused("line 1", "colour")
    user, item = (int(getattr(data.interactions, kind)[0]) for kind in ("user", "item"))
    known = f"user,item,when\n{data.users['id'][user]},{data.items['id'][item]},1\n"
    (tmp_path / "known.csv").write_text(known)
    verb("update", run, "--interactions", tmp_path / "known.csv", "--timestamp", "when", *to).refused("nothing is new")
    without = verb("update", run, "--interactions", tmp_path / "known.csv", *to)
    without.refused("have a timestamp", "name its column with --timestamp")
    assert not (tmp_path / "run2").exists()
    assert not (tmp_path / "shop2").exists()


def test_people_see_the_metrics(data, run, new, verb, tmp_path):
    to = ("--out", tmp_path / "run2", "--data-out", tmp_path / "shop2", "--epochs", 1)
    done = verb("update", run, *new, *to)
    assert done.code == 0, done.err
    assert "alignrec on shop2, test, protocol clean" in " ".join(done.out.split())
    assert "recall" in done.out


def test_a_run_is_not_updated_on_another_data_set(run, tmp_path):
    config = RunConfig.load(run / "config.yaml")
    other = make_catalogue(n_users=100, n_items=61, image_size=16).save(tmp_path / "other").path
    with pytest.raises(InputError, match=r"other: not the data set that .* was trained on"):
        data_set_of(run, config, other)
