"""Whole searches with fake trials: what is tried, pruned and written, and how they go on."""

import json
import random
import signal
import subprocess
import sys
import time
import zlib
from statistics import median

import optuna
import polars as pl
import pytest
import yaml
from optuna.trial import TrialState

from alignrec_geo.comparison import process, pruning, schedule
from alignrec_geo.comparison import tune as run_search
from alignrec_geo.comparison.observer import ComparisonObserver
from alignrec_geo.comparison.search import Tried, suggest
from alignrec_geo.errors import InputError
from alignrec_geo.reporting import tuning_report
from alignrec_geo.training.run_config import RunConfig
from tests.comparison.conftest import FAKE, PROGRAM, starts

pytestmark = pytest.mark.first

FAST = ("epochs=3",)


@pytest.fixture
def fake_tune(catalogue, tmp_path, monkeypatch):
    monkeypatch.setattr(process, "COMMAND", (sys.executable, str(FAKE)))
    monkeypatch.setattr(schedule, "POLL", 0.02)
    monkeypatch.setattr(tuning_report, "write_tuning_report", lambda *given: None)

    def run(model="alignrec", out="out", **options):
        return run_search(catalogue.path, tmp_path / out, model, **{"settings": FAST, **options})

    return run


def same(results):
    """Results without what depends on when and where they were made."""
    kept = {key: value for key, value in results.items() if key not in ("machine", "command")}
    return json.loads(json.dumps(kept))


def test_the_best_finished_trial_becomes_a_file_for_train(fake_tune, tmp_path):
    found = fake_tune(trials=5)
    out = tmp_path / "out"
    assert [trial["trial"] for trial in found["trials"]] == list(range(5))
    assert {trial["state"] for trial in found["trials"]} == {"finished"}
    best = max(found["trials"], key=lambda trial: trial["value"])
    assert found["best"]["trial"] == best["trial"]
    assert found["default"] == found["trials"][0]["value"]
    config = RunConfig.resolve(yaml.safe_load((out / "best.yaml").read_text()))
    assert config.training.epochs == 3
    assert config.training.lr == best["settings"]["training.lr"]
    assert config.parameters.cca_weight == best["settings"]["cca_weight"]
    assert config.dataset is None
    assert config.training.log_to == ("tensorboard",)
    assert json.loads((out / "tuning.json").read_text()) == found
    assert pl.read_csv(out / "trials.csv").height == 5
    assert found.to_frame().columns[:5] == ["trial", "state", "value", "epochs", "seconds"]
    assert "recall@20" in found._repr_html_()
    assert set(found["importance"]) <= set(found["space"])
    assert sum(found["importance"].values()) == pytest.approx(1.0)
    assert not list(out.glob("runs/*/seed-*"))  # nothing is tested
    assert best["curve"][-1] == [3, best["value"]]


@pytest.mark.slow
def test_more_trials_add_to_a_search_and_nothing_is_trained_twice(fake_tune, tmp_path):
    first = fake_tune(trials=2)
    assert same(fake_tune(trials=2)) == same(first)
    more = fake_tune(trials=3)
    assert more["trials"][:2] == first["trials"]
    assert set(starts(tmp_path / "out").values()) == {1}
    assert same(fake_tune(trials=3, out="whole")) == same(more)


class Counting(ComparisonObserver):
    most = 0

    def polled(self, running):
        self.most = max(self.most, len(running))


@pytest.mark.slow
def test_several_at_a_time(fake_tune, tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE_EPOCH", "0.3")
    counting = Counting()
    found = fake_tune(trials=5, jobs=3, observer=counting)
    assert counting.most == 3
    assert {trial["state"] for trial in found["trials"]} == {"finished"}
    points = [tuple(trial["settings"].values()) for trial in found["trials"]]
    assert len(set(points)) == 5
    assert set(starts(tmp_path / "out").values()) == {1}


def test_the_space_of_a_file_and_what_is_set(fake_tune, tmp_path):
    file = tmp_path / "space.yaml"
    file.write_text("layers: [1, 3]\nlr: [0.1, 0.001]\n")
    found = fake_tune("lightgcn", trials=9, space=file)
    assert found["space"] == {"layers": [1, 3], "training.lr": [0.001, 0.1]}  # the default first, where it is there
    assert found["trials"][0]["settings"] == {"layers": 1, "training.lr": 0.001}
    assert len(found["trials"]) == 4
    with pytest.raises(InputError, match=r"'training\.lr' is set and searched"):
        fake_tune("lightgcn", trials=9, space=file, settings=[*FAST, "lr=0.1"], out="other")
    file.write_text("layers: [1, -3]\n")
    with pytest.raises(InputError, match=r"layers: .*greater than or equal to 0 \(got -3\)"):
        fake_tune("lightgcn", space=file, out="other")
    assert not (tmp_path / "other").exists()
    file.write_text("layers: [2, 3]\n")
    with pytest.raises(InputError, match="planned otherwise"):
        fake_tune("lightgcn", trials=9, space=file)


@pytest.mark.slow
def test_trials_that_are_behind_are_stopped(fake_tune, tmp_path, monkeypatch):
    monkeypatch.setattr(pruning, "WARMUP", 2)
    monkeypatch.setenv("FAKE_EPOCHS", "20")
    monkeypatch.setenv("FAKE_EPOCH", "0.02")
    found = fake_tune(trials=8)
    finished = []
    for trial in found["trials"]:
        text = (tmp_path / "out" / "runs" / "alignrec" / f"trial-{trial['trial']:03d}" / "config.yaml").read_bytes()
        end = zlib.crc32(text) / 2**32  # what the fake worker would reach
        behind = len(finished) >= 4 and end < median(finished)
        assert trial["state"] == ("pruned" if behind else "finished")
        assert trial["value"] == pytest.approx(end * 3 / 20 if behind else end)
        assert trial["curve"][-1] == [3 if behind else 20, trial["value"]]
        finished += [] if behind else [end]
    states = [trial["state"] for trial in found["trials"]]
    assert found["best"]["value"] == max(finished)
    study = optuna.load_study(study_name="alignrec", storage=f"sqlite:///{tmp_path / 'out' / 'study.sqlite'}")
    kinds = {"finished": TrialState.COMPLETE, "pruned": TrialState.PRUNED}
    assert [trial.state for trial in study.trials] == [kinds[state] for state in states]
    assert same(fake_tune(trials=8)) == same(found)
    monkeypatch.setenv("FAKE_EPOCH", "0")
    grown = fake_tune(trials=9, prune=False)
    assert grown["trials"][-1]["state"] == "finished"


@pytest.mark.slow
def test_a_search_ends_in_time_and_goes_on(fake_tune, monkeypatch):
    whole = fake_tune(trials=3, out="whole")
    fake_tune(trials=1)
    monkeypatch.setenv("FAKE_EPOCH", "30")
    cut = fake_tune(trials=3, timeout=1.0)
    assert [trial["state"] for trial in cut["trials"]] == ["finished", "unfinished"]
    assert cut["best"]["trial"] == 0
    monkeypatch.setenv("FAKE_EPOCH", "0")
    assert same(fake_tune(trials=3)) == same(whole)


def test_nothing_finished_gives_no_file(fake_tune, tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE_EPOCH", "30")
    found = fake_tune(trials=2, timeout=0.5)
    assert found["best"] is None
    assert [trial["state"] for trial in found["trials"]] == ["unfinished"]
    assert not (tmp_path / "out" / "best.yaml").exists()


def test_failed_trials_are_said_and_trained_again_when_asked(fake_tune, monkeypatch):
    broken = fake_tune(trials=2, settings=[*FAST, "dim=13"])
    assert {trial["state"] for trial in broken["trials"]} == {"failed"}
    assert "loss term 'bpr' became nan" in broken["trials"][0]["error"]
    monkeypatch.setenv("FAKE_CURE", "1")
    cured = fake_tune(trials=2, settings=[*FAST, "dim=13"], retry_failed=True)
    assert {trial["state"] for trial in cured["trials"]} == {"finished"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"model": "svd"}, "unknown model"),
        ({"model": "popularity"}, "there is nothing to search: 'popularity'"),
        ({"trials": 0}, "trials must be at least 1"),
        ({"jobs": 0}, "jobs must be at least 1"),
        ({"timeout": 0.0}, "timeout must be a positive number of seconds"),
        ({"timeout": float("nan")}, "timeout must be a positive number of seconds"),
        ({"features": ["audio"]}, "no features 'audio'"),
    ],
)
def test_bad_requests_write_nothing(fake_tune, tmp_path, given, words):
    with pytest.raises(InputError, match=words):
        fake_tune(**given)
    assert not (tmp_path / "out").exists()


def test_a_comparison_is_no_search(fake_tune, fake_compare, tmp_path):
    fake_compare("alignrec", settings=FAST, seeds=1)
    with pytest.raises(InputError, match="was planned"):
        fake_tune(trials=2)
    fake_tune(trials=1, out="search")
    with pytest.raises(InputError, match="planned otherwise: tuning was True"):
        fake_compare("alignrec", settings=FAST, seeds=1, trials=1, out="search")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("x")
    with pytest.raises(InputError, match="name a new folder for the search"):
        fake_tune(out="notes")


@pytest.mark.slow
def test_a_search_that_was_killed_ends_as_an_unbroken_one(fake_tune, catalogue, tmp_path, monkeypatch):
    whole = fake_tune(trials=3, out="whole")
    out, chance = tmp_path / "out", random.Random()
    monkeypatch.setenv("FAKE_EPOCH", "0.03")
    line = [sys.executable, PROGRAM, FAKE, "tune", catalogue.path, "--trials", 3, "--set", "epochs=3", "--out", out]
    cut = subprocess.Popen(list(map(str, line)), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while cut.poll() is None and not list(out.glob("runs/*/*/metrics.jsonl")):
        time.sleep(0.01)
    time.sleep(chance.random() * 0.2)
    cut.send_signal(signal.SIGKILL)
    cut.communicate(timeout=300)
    assert same(fake_tune(trials=3)) == same(whole)


def test_what_runs_is_not_suggested_again():
    space = {"x": (1, 2, 3)}
    assert suggest(space, [], "m", [{"x": 1}]) in ({"x": 2}, {"x": 3})
    assert suggest(space, [Tried({"x": 2}, 0.5, pruned_at=3)], "m", [{"x": 1}]) == {"x": 3}
    assert suggest(space, [Tried({"x": 2}, 0.5)], "m", [{"x": 1}, {"x": 3}]) is None
