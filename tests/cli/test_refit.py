"""Runs that go on, and runs on all pairs."""

import json

import polars as pl
import pytest
import yaml

from alignrec_geo import Dataset, load, make_catalogue
from alignrec_geo.training.run_folder import RUN

SMALL = ("--model", "lightgcn", "--set", "dim=8")


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    return make_catalogue(n_users=100, n_items=60, image_size=16).save(tmp_path_factory.mktemp("data") / "catalogue")


def told(run, name="result.json"):
    return json.loads((run / name).read_text())


def epochs(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


def test_a_finished_run_goes_on_as_if_it_had_been_asked_for_more(catalogue, verb, tmp_path):
    assert verb("train", catalogue.path, "--out", tmp_path / "long", *SMALL, "--set", "epochs=4").code == 0
    assert verb("train", catalogue.path, "--out", tmp_path / "run", *SMALL, "--set", "epochs=2").code == 0
    assert told(tmp_path / "run")["epochs"] == 2
    done = verb("train", catalogue.path, "--out", tmp_path / "run", "--resume", "--set", "epochs=4")
    assert done.code == 0, done.err
    assert epochs(tmp_path / "run") == epochs(tmp_path / "long")
    assert told(tmp_path / "run")["metrics"] == told(tmp_path / "long")["metrics"]
    assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["training"]["epochs"] == 4
    assert RUN.problem(tmp_path / "run") is None


def test_a_run_that_had_stopped_says_what_else_to_raise(catalogue, verb, tmp_path):
    out = tmp_path / "run"
    settings = (*SMALL, "--set", "patience=0", "--set", "lr=1e-9", "--set", "epochs=9")
    assert verb("train", catalogue.path, "--out", out, *settings).code == 0
    done = verb("train", catalogue.path, "--out", out, "--resume", "--set", "epochs=30")
    assert "raise --set patience=" in done.err
    before = told(out)["epochs"]
    assert verb("train", catalogue.path, "--out", out, "--resume", "--set", "patience=1").code == 0
    assert told(out)["epochs"] > before


def test_only_what_differs_is_named(catalogue, verb, tmp_path):
    out = tmp_path / "run"
    assert verb("train", catalogue.path, "--out", out, *SMALL, "--set", "epochs=1").code == 0
    done = verb(
        "train", catalogue.path, "--out", out, "--resume", "--set", "lr=0.5", "--seed", "3", "--set", "epochs=2"
    )
    done.refused("seed was 0, now 3, training.lr was 0.001, now 0.5")
    assert "epochs" not in done.err
    assert "batch_size" not in done.err


@pytest.mark.parametrize("like", [True, False], ids=["like a run", "by its own validation"])
def test_a_refit_trains_on_all_pairs_for_the_chosen_number_of_epochs(catalogue, verb, tmp_path, like, whole_reports):
    run, refit = tmp_path / "run", tmp_path / "refit"
    settings = (*SMALL, "--set", "epochs=3", "--set", "lr=0.01", "--seed", "5")
    assert verb("train", catalogue.path, "--out", run, *settings).code == 0
    how = ("--like", run) if like else settings
    done = verb("train", catalogue.path, "--out", refit, "--refit", *how, "--json")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert result["epochs"] == told(run)["best_epoch"] + 1
    assert (result["chosen_by"], result["measured"], result["metrics"]) == ("refit", False, {})
    config = yaml.safe_load((refit / "config.yaml").read_text())
    assert (config["refit"], config["seed"], config["training"]["lr"]) == (True, 5, 0.01)
    stored = Dataset.open(refit / "dataset")
    assert stored.counts()["train"] == len(catalogue.interactions)
    assert "not measured" in (refit / "report.html").read_text()
    model = load(refit)
    user = catalogue.users["id"][0]
    shown = json.loads(verb("recommend", refit, "--user", user, "--json").out)["users"][user]
    assert [one["item"] for one in shown] == [one.item for one in model.recommend(user)[user]]
    again = verb("train", catalogue.path, "--out", refit, "--refit", *how, "--resume")
    assert again.code == 0, again.err
    assert "not measured" in again.err


def test_refits_that_cannot_be(catalogue, verb, tmp_path):
    run = tmp_path / "run"
    assert verb("train", catalogue.path, "--out", run, *SMALL, "--set", "epochs=1").code == 0
    before = told(run)
    line = ("train", catalogue.path, "--out", tmp_path / "refit")
    verb(*line, "--like", run).refused("--refit")
    verb(*line, "--refit", "--like", tmp_path / "none").refused("none", "does not exist")
    verb(*line, "--refit", "--like", catalogue.path).refused("config.yaml")
    verb("train", catalogue.path, "--out", run, "--refit").refused("holds a run already")
    verb("train", catalogue.path, "--out", run, "--refit", "--resume").refused("no refit")
    (run / "result.json").unlink()
    verb(*line, "--refit", "--like", run).refused("not ended")
    assert not (tmp_path / "refit").exists()
    assert epochs(run)
    assert before["measured"] is True


def test_held_out_users_are_validated_and_tested_from_their_histories(verb, tmp_path):
    made = make_catalogue(n_users=100, n_items=60, image_size=16).save(tmp_path / "data")
    assert verb("data", "split", made.path, "--rule", "cold-users", "--test", "0.2").code == 0
    done = verb("train", made.path, "--out", tmp_path / "run", *SMALL, "--set", "epochs=2", "--json")
    result = json.loads(done.out)
    assert result["users"] == {"validation": 10, "test": 20}
    assert json.loads(verb("evaluate", tmp_path / "run", "--json").out)["metrics"] == result["metrics"]
    assert pl.read_parquet(tmp_path / "run" / "per_user.parquet").height == 20
    assert "history of held-out users" in verb("data", "describe", made.path).out
