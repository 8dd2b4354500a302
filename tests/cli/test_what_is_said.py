"""What verbs say beside their results, on the smallest input that makes them say it."""

from importlib import import_module
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import yaml

from alignrec_geo.cli import import_options
from alignrec_geo.dataset import Dataset, Features, make_catalogue
from alignrec_geo.service import process

PAIRS = {
    "user": ["ann", "ann", "ann", "bob", "bob", "cid"],
    "item": ["mug", "pen", "cup", "mug", "pen", "mug"],
    "part": ["train", "train", "test", "train", "none", "train"],
    "weight": [0.5, 1.0, 2.0, 4.0, 1.0, 1.0],
}


@pytest.fixture
def shop(tmp_path):
    frame = pl.DataFrame(PAIRS)
    frame.write_csv(tmp_path / "clicks.csv")
    return tmp_path / "clicks.csv"


def test_describe_tells_of_weights_and_of_pairs_in_no_split(verb, shop, tmp_path):
    options = ("--weight", "weight", "--split", "part", "--split-unused", "none", "--out", tmp_path / "shop")
    assert verb("data", "import", "table", shop, *options).code == 0
    said = verb("data", "describe", tmp_path / "shop").out
    rows = {" ".join(line.strip("│").split()) for line in said.splitlines()}
    assert any("in no split" in row and row.endswith("1") for row in rows)
    assert any("weights" in row and "min 0.5, median 1, max 4" in row for row in rows)


@pytest.mark.parametrize("memory", [(), ("--memory", "2GB")])
def test_a_large_import_says_what_it_reads(verb, shop, tmp_path, monkeypatch, memory):
    if memory:
        pytest.importorskip("duckdb")
    monkeypatch.setattr(import_options, "LARGE", 10)
    done = verb("data", "import", "table", shop, "--rule", "all-train", "--out", tmp_path / "shop", *memory)
    assert done.code == 0, done.err
    assert done.out == f"{tmp_path / 'shop'}: 3 users, 3 items, 6 interactions (train 6, validation 0, test 0)\n"
    assert ("reading: " if memory else "reading clicks.csv (") in done.err


def test_features_that_hurt_training_are_warned_of(verb, tmp_path):
    data = make_catalogue(n_users=20, n_items=30, image_size=16)
    same = Features("same", np.ones((30, 2), dtype=np.float32), np.ones(30, dtype=bool))
    data.with_features(same).save(tmp_path / "data")
    done = verb("features", "describe", tmp_path / "data", "--features", "same")
    assert done.code == 0, done.err
    assert "warning: " in done.err


@pytest.fixture
def trained(verb, tmp_path):
    """A run of popularity on a data set in which nothing is tested."""
    data = Dataset.from_frame(pl.DataFrame(PAIRS), name="shop", rule="all-train").save(tmp_path / "shop")
    done = verb("train", data.path, "--model", "popularity", "--out", tmp_path / "run")
    assert done.code == 0, done.err
    assert "note: the test split has no user with a training interaction; nothing was tested" in done.err
    return tmp_path / "run"


def test_a_model_without_epochs_is_refitted_without_any(verb, trained, tmp_path):
    done = verb("train", tmp_path / "shop", "--refit", "--like", trained, "--out", tmp_path / "refit")
    assert done.code == 0, done.err
    assert "nothing was tested" not in done.err


def test_a_run_that_does_not_say_where_its_data_set_is(verb, trained, tmp_path):
    config = yaml.safe_load((trained / "config.yaml").read_text())
    (trained / "config.yaml").write_text(yaml.safe_dump({**config, "dataset": None, "features": ["image"]}))
    (tmp_path / "new.jsonl").write_text('{"id": "new", "title": "New"}\n')
    done = verb("embed", trained, "--items", tmp_path / "new.jsonl")
    assert done.code == 2
    assert "does not say which data set it was trained on; pass --dataset" in done.err


@pytest.mark.parametrize(("host", "open_to_all"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_a_service_that_others_reach_says_so(verb, trained, monkeypatch, host, open_to_all):
    monkeypatch.setattr(process, "serve_here", lambda settings, listening, ready: ready())
    done = verb("serve", trained, "--host", host, "--port", 0)
    assert done.code == 0, done.err
    assert done.out.startswith(f"serving {trained} at http://{host}:")
    assert ("everybody who reaches this address may ask" in done.err) == open_to_all


def test_the_quickstart_shows_its_models_and_what_to_try(verb, tmp_path, monkeypatch):
    """Its parts are tested where they are; here only what is made of them, in which order and where."""
    quickstart = import_module("alignrec_geo.cli.quickstart")
    made = []

    def pretrain(folder, kind, sources, settings, **options):
        made.append((kind, options))
        history = [{"held_out": {"words": 1.0, "words shuffled": 2.0}}]
        return SimpleNamespace(result=SimpleNamespace(history=history, held_out=[1, 2, 3]))

    def train(config, out, overwrite):
        made.append((config.model, config.features, out.name, overwrite))
        value = 0.1 * len(made)
        return None, SimpleNamespace(metrics={"recall@20": value, "ndcg@20": value / 2, "recall@10": 0.0})

    class Item(SimpleNamespace):
        def _asdict(self):
            return vars(self)

    top = [Item(title=None, item="item-0003", score=1.25), Item(title="A mug", item="item-0001", score=0.5)]
    small = make_catalogue(n_users=20, n_items=30, image_size=16)
    monkeypatch.setattr("alignrec_geo.cli.pretrain.run_pretrain", pretrain)
    monkeypatch.setattr("alignrec_geo.cli.train.run_training", train)
    monkeypatch.setattr("alignrec_geo.dataset.catalogue.make_catalogue", lambda seed: small)
    monkeypatch.setattr("alignrec_geo.explaining.score_parts.score_parts", lambda model: None)
    monkeypatch.setattr("alignrec_geo.reporting.run_report.write_run_report", lambda *given: None)
    served = SimpleNamespace(recommend=lambda users: {users[0]: top})
    monkeypatch.setattr("alignrec_geo.serving.store.load_top_items", lambda run: served)
    done = verb("quickstart", "--out", tmp_path / "q", "--seed", 3)
    assert done.code == 0, done.err
    assert made[0][0] == "beit3-tiny"
    assert made[0][1] == {"name": "aligned", "seed": 3}
    assert [one[:3] for one in made[1:]] == [
        (model, features, name) for name, (model, features) in quickstart.VARIANTS.items()
    ]
    assert all(one[3] for one in made[1:])
    rows = [line.replace("│", " ").split() for line in done.out.splitlines()]
    assert ["alignrec_aligned", "0.5000", "0.2500"] in rows
    assert ["item-0003", "1.250"] in rows
    best = tmp_path / "q" / "alignrec_aligned"
    assert f"look at {best / 'report.html'}" in done.err
    assert f"try: alignrec-geo similar {best} --item item-0003" in done.err
