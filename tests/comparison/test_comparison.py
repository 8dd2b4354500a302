"""Whole comparisons with fake runs: what is trained, how often, and what comes out."""

import json
import random
import signal
import time
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from alignrec_geo.cli.compare_progress import LiveTable
from alignrec_geo.comparison.choice import choice_of
from alignrec_geo.comparison.layout import Layout
from alignrec_geo.comparison.plan import Plan
from alignrec_geo.comparison.results import failures
from alignrec_geo.comparison.search import Tried
from alignrec_geo.comparison.study import TrialLog
from alignrec_geo.comparison.tuning import Tuning
from tests.comparison.conftest import same, starts

pytestmark = pytest.mark.first

FAST = ("epochs=3",)
BROKEN = ("--models", "alignrec,popularity", "--trials", 4, "--seeds", 2, "--set", "epochs=3", "--out")


def by_name(results):
    return {model["name"]: model for model in results["models"]}


def test_validation_chooses_and_every_model_gets_its_seeds(fake_compare, tmp_path):
    results = fake_compare("alignrec", "popularity", trials=3, seeds=2, settings=FAST)
    models = by_name(results)
    trials = models["alignrec"]["trials"]
    assert [trial["number"] for trial in trials] == [0, 1, 2]
    best = max(trials, key=lambda trial: trial["validation"]["recall@20"])
    assert models["alignrec"]["chosen"] == best["settings"]
    assert models["alignrec"]["parameters"]["cca_weight"] == best["settings"]["cca_weight"]
    assert models["alignrec"]["training"]["lr"] == best["settings"]["training.lr"]
    assert models["popularity"]["trials"] == []
    assert all([run["seed"] for run in model["runs"]] == [1, 2] for model in models.values())
    assert json.loads((tmp_path / "out" / "results.json").read_text()) == results
    users = pl.read_parquet(tmp_path / "out" / "per_user.parquet")
    assert users.columns == ["model", "seed", "user", "recall@20", "ndcg@20"]
    assert users.height == 2 * 2 * 8
    assert {row["baseline"] for row in results["significance"]} == {"popularity"}
    assert set(starts(tmp_path / "out").values()) == {1}


@pytest.mark.slow
def test_the_same_command_trains_nothing_again_and_larger_ones_only_add(fake_compare, tmp_path):
    out = tmp_path / "out"
    first = fake_compare("alignrec", settings=FAST, seeds=1)
    assert same(fake_compare("alignrec", settings=FAST, seeds=1)) == same(first)
    assert starts(out) == {"alignrec/seed-1": 1}
    grown = fake_compare("alignrec", "popularity", settings=FAST, seeds=2, trials=5, jobs=3)
    assert set(starts(out).values()) == {1}
    whole = fake_compare("alignrec", "popularity", settings=FAST, seeds=2, trials=5, out="whole")
    assert same(grown) == same(whole)


def test_a_search_space_smaller_than_the_budget_stops_early(fake_compare, tmp_path):
    fixed = (*FAST, "lr=0.01", "alignrec.cca_weight=0.1", "alignrec.uia_weight=0")
    results = fake_compare("alignrec", settings=fixed, trials=9, seeds=1)
    trials = by_name(results)["alignrec"]["trials"]
    assert sorted(trial["settings"]["reg_weight"] for trial in trials) == [0.1, 0.2, 0.3]
    out = Layout(tmp_path / "out")
    assert choice_of(Plan.load(out.plan), out, "alignrec").exhausted == 3


@pytest.mark.parametrize(
    ("dim", "message"),
    [
        (13, "loss term 'bpr' became nan"),
        pytest.param(14, "SIGKILL (often: out of memory), twice", marks=pytest.mark.slow),
    ],
)
def test_a_failed_run_is_said_and_the_others_go_on(fake_compare, tmp_path, dim, message):
    results = fake_compare("alignrec", "popularity", settings=(*FAST, f"dim={dim}"), seeds=2, trials=2)
    models = by_name(results)
    assert all(message in run["error"] and run["metrics"] is None for run in models["alignrec"]["runs"])
    assert all(trial["validation"] is None for trial in models["alignrec"]["trials"])
    assert [run["error"] for run in models["popularity"]["runs"]] == [None, None]
    assert [line.split(":")[0] for line in failures(results)] == ["alignrec, seed 1", "alignrec, seed 2"]
    assert results["significance"] == []
    assert pl.read_parquet(tmp_path / "out" / "per_user.parquet")["model"].unique().to_list() == ["popularity"]


def test_a_process_that_dies_once_goes_on_and_one_that_dies_twice_has_failed(fake_compare, tmp_path):
    said = Console(record=True, width=200)
    unlucky = fake_compare("alignrec", settings=(*FAST, "dim=15"), seeds=1, trials=2, observer=LiveTable(said))
    assert failures(unlucky) == []
    assert set(starts(tmp_path / "out").values()) == {2}
    assert said.export_text().count("exited without a result") == 3
    fake_compare("alignrec", settings=(*FAST, "dim=14"), seeds=1, out="worse")
    assert starts(tmp_path / "worse") == {"alignrec/seed-1": 2}


@pytest.mark.slow
def test_failed_runs_are_trained_again_when_asked(fake_compare, tmp_path, monkeypatch):
    request = {"settings": (*FAST, "alignrec.dim=13"), "seeds": 2, "trials": 3}
    broken = fake_compare("alignrec", "popularity", **request)
    monkeypatch.setenv("FAKE_CURE", "1")
    assert same(fake_compare("alignrec", "popularity", **request)) == same(broken)
    cured = fake_compare("alignrec", "popularity", **request, retry_failed=True)
    assert failures(cured) == []
    alignrec = by_name(cured)["alignrec"]
    assert all(trial["validation"] is not None for trial in alignrec["trials"])
    former = [trial["settings"] for trial in by_name(broken)["alignrec"]["trials"]]
    assert [trial["settings"] for trial in alignrec["trials"]] == former
    best = max(alignrec["trials"], key=lambda trial: trial["validation"]["recall@20"])
    assert alignrec["chosen"] == best["settings"]
    before = starts(tmp_path / "out")
    assert same(fake_compare("alignrec", "popularity", **request, retry_failed=True)) == same(cured)
    assert starts(tmp_path / "out") == before


def test_a_trial_that_was_entered_but_not_ended_goes_on(fake_compare, tmp_path):
    fake_compare("alignrec", settings=FAST, seeds=1, trials=3)
    layout = Layout(tmp_path / "out")
    plan = Plan.load(layout.plan).model_copy(update={"trials": 5})
    tuning = Tuning(plan, layout, "alignrec")
    due = tuning.next_run()
    tuning.log.close()
    again = Tuning(plan, layout, "alignrec")  # another process, after this one was killed
    assert again.next_run() == due
    assert due.label == "trial 3"
    assert again.log.settings(3) is not None
    assert again.log.settings(4) is None
    again.log.end(3, Tried(again.log.settings(3), None))
    again.log.end(3, Tried(again.log.settings(3), None))  # known already
    again.log.close()


def test_studies_of_two_models_share_one_file(tmp_path):
    layout = Layout(tmp_path)
    first, second = (TrialLog(layout, name, {"x": (1, 2)}) for name in ("a", "b"))
    for log in (first, second):
        log.begin({"x": 2})
        assert log.settings(0) == {"x": 2}
        assert log.settings(1) is None
        log.close()


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_same_table(program, fake_compare, tmp_path, monkeypatch):
    whole = fake_compare("alignrec", "popularity", trials=4, seeds=2, settings=FAST, out="whole")
    out, chance = tmp_path / "out", random.Random(0)
    monkeypatch.setenv("FAKE_EPOCH", "0.03")
    for _ in range(2):
        process = program(*BROKEN, out, "--jobs", 2)
        had = len(list(out.glob("runs/*/*/metrics.jsonl")))
        while process.poll() is None and len(list(out.glob("runs/*/*/metrics.jsonl"))) <= had:
            time.sleep(0.01)
        time.sleep(chance.random() * 0.3)  # somewhere in a run, between two, in a write, anywhere
        process.send_signal(signal.SIGKILL)
        process.communicate()
    fake_compare("alignrec", "popularity", trials=4, seeds=2, settings=FAST)
    assert same(json.loads((out / "results.json").read_text())) == same(whole)


@pytest.mark.slow
def test_two_processes_share_the_work_and_train_nothing_twice(program, fake_compare, tmp_path):
    whole = fake_compare("alignrec", "popularity", trials=4, seeds=2, settings=FAST, out="whole")
    out = tmp_path / "out"
    pair = [program(*BROKEN, out, "--json") for _ in range(2)]
    said = [process.communicate(timeout=300) for process in pair]
    assert [process.returncode for process in pair] == [0, 0], said
    assert set(starts(out).values()) == {1}
    assert sum(starts(out).values()) == 4 + 2 + 2
    assert [same({**json.loads(text), "out": 0}) == same({**whole, "out": 0}) for text, _ in said] == [True, True]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_stops_the_runs_and_says_how_to_go_on(program, tmp_path, monkeypatch, number, code):
    monkeypatch.setenv("FAKE_EPOCH", "30")
    out = tmp_path / "out"
    process = program("--models", "popularity", "--seeds", 1, "--out", out)
    log = out / "runs" / "popularity" / "seed-1" / "worker.log"
    while process.poll() is None and not (log.exists() and log.read_text()):
        time.sleep(0.01)
    process.send_signal(number)
    _, said = process.communicate(timeout=300)
    assert process.returncode == code
    assert not Path("/proc", log.read_text().split()[-1]).exists()  # the run's own process has ended too
    assert "continue with the same command" in " ".join(said.split())
    assert "Traceback" not in said
    assert not (out / "runs" / "popularity" / "seed-1" / "error.json").exists()
