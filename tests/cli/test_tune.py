"""``alignrec-geo tune`` as a user calls it, with real trials."""

import json
from importlib import import_module

import pytest

from alignrec_geo.cli.tune import parse_duration
from alignrec_geo.dataset import make_catalogue
from alignrec_geo.errors import InputError
from alignrec_geo.training.run_config import RunConfig
from tests.in_this_process import runs_in_this_process

search = import_module("alignrec_geo.cli.tune")


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    return make_catalogue(n_users=80, n_items=50, image_size=16).save(tmp_path_factory.mktemp("data") / "catalogue")


def test_a_search_and_a_run_with_what_it_found(catalogue, verb, tmp_path):
    space = tmp_path / "space.yaml"
    space.write_text("layers: [1, 2]\n")
    out = tmp_path / "out"
    line = ("tune", catalogue.path, "--model", "lightgcn", "--trials", 2, "--space", space, "--set", "epochs=2")
    with runs_in_this_process():
        done = verb(*line, "--out", out, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert {trial["settings"]["layers"] for trial in found["trials"]} == {1, 2}
    assert f"Trial {found['best']['trial']} is best" in done.err
    assert {path.name for path in out.iterdir()} >= {"best.yaml", "trials.csv", "tuning.json", "report.html"}
    again = verb(*line, "--out", out)
    assert "layers" in again.out
    assert f"{found['best']['value']:.4f}" in again.out
    run = tmp_path / "run"
    assert verb("train", catalogue.path, "--config", out / "best.yaml", "--out", run).code == 0
    config = RunConfig.load(run / "config.yaml")
    assert (config.model, config.parameters.layers) == ("lightgcn", found["best"]["settings"]["layers"])
    assert config.training.epochs == 2


def test_failed_trials_give_exit_code_1(catalogue, verb, tmp_path):
    line = ("tune", catalogue.path, "--model", "bpr", "--trials", 1, "--set", "lr=1e30", "--set", "epochs=9")
    with runs_in_this_process():
        done = verb(*line, "--out", tmp_path / "out")
    assert done.code == 1
    assert "failed: trial 0: " in done.err
    assert "No trial has finished; 1 failed" in done.err
    assert "--retry-failed" in done.err
    assert not (tmp_path / "out" / "best.yaml").exists()


def test_bad_input(catalogue, verb, tmp_path):
    space = tmp_path / "space.yaml"
    line = ("tune", catalogue.path, "--out", tmp_path / "out")
    space.write_text("layer: [1]\n")
    verb(*line, "--space", space).refused(str(space), "unknown setting 'layer'", "did you mean 'parameters.layers'")
    space.write_text("layers: [0.5]\n")
    verb(*line, "--space", space).refused(str(space), "layers", "got 0.5")
    verb(*line, "--space", tmp_path / "absent.yaml").refused("absent.yaml")
    verb(*line, "--model", "popularity").refused("there is nothing to search", "give --space")
    verb(*line, "--timeout", "soon").refused("--timeout takes a time such as 90s, 30m or 2h (got 'soon')")
    verb(*line, "--trials", 0).refused("trials must be at least 1")
    assert [path.name for path in tmp_path.iterdir()] == ["space.yaml"]


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("30 m", 1800), ("1.5h", 5400), ("2d", 172800)])
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0h", "-1", "1w", "h", "1h30m", "nan"])
def test_what_is_no_duration(text):
    with pytest.raises(InputError, match="takes a time such as"):
        parse_duration(text)


def test_what_is_said_of_a_search_that_the_time_cut_off(capsys, tmp_path):
    trials = [{"trial": 0, "state": "unfinished", "value": None, "epochs": 0, "settings": {}}]
    found = {
        "trials": trials,
        "best": None,
        "default": None,
        "model": "bpr",
        "dataset": {"name": "toys"},
        "metric": "recall@20",
        "space": [],
    }
    search._print(found)
    assert capsys.readouterr().out == ""
    search._say(found, tmp_path)
    said = capsys.readouterr().err
    assert "the time was over before all trials were; the same command goes on" in said
    assert "best.yaml" not in said


def test_an_unknown_device_is_refused_at_once(catalogue, verb, tmp_path):
    verb("tune", catalogue.path, "--out", tmp_path / "out", "--device", "tpu").refused("got 'tpu'")
    assert not (tmp_path / "out").exists()
