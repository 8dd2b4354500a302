"""``alignrec-geo compare`` as a user calls it, with real runs."""

import json
import random
import signal
import subprocess
import sys
import time
from contextlib import nullcontext

import pytest

from alignrec_geo.dataset import make_catalogue
from tests.comparison.conftest import same, starts
from tests.in_this_process import runs_in_this_process

PROGRAM = (sys.executable, "-m", "alignrec_geo.cli.app", "compare")


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    return make_catalogue(n_users=80, n_items=50, image_size=16).save(tmp_path_factory.mktemp("data") / "catalogue")


@pytest.mark.parametrize("processes", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_comparison(catalogue, verb, tmp_path, processes):
    out = tmp_path / "out"
    line = ("compare", catalogue.path, "--models", "alignrec,popularity", "--features", "image", "--protocol", "mmrec")
    line = (*line, "--seeds", 1, "--set", "epochs=2", "--out", out)
    line = (*line, "--metrics", "coverage,diversity@10")
    with nullcontext() if processes else runs_in_this_process():
        done = verb(*line, "--json")
    assert done.code == 0, done.err
    results = json.loads(done.out)
    assert {model["name"]: len(model["runs"]) for model in results["models"]} == {"alignrec": 1, "popularity": 1}
    assert results["protocol"] == "mmrec"
    assert results["models"][0]["runs"][0]["metrics"]["recall@20"] > 0
    assert set(results["models"][0]["runs"][0]["groups"]) == {"users", "items"}
    assert "alignrec, seed 1: validation recall@20" in done.err
    assert {path.name for path in out.iterdir()} >= {"results.json", "per_user.parquet", "table.md", "report.html"}
    assert 0 < results["models"][0]["runs"][0]["metrics"]["coverage@20"] <= 1
    assert "diversity@10 | coverage@20 | AlignRec − model" in (out / "table.md").read_text()
    again = verb(*line)
    assert "coverage@20" in again.out
    assert "mmrec" in again.out
    assert "1 of 1" in again.out
    if processes:
        assert set(starts(out).values()) == {1}


def test_failed_runs_give_exit_code_1_and_a_line_each(catalogue, verb, tmp_path):
    line = ("compare", catalogue.path, "--models", "alignrec,popularity", "--seeds", 1, "--out", tmp_path / "out")
    with runs_in_this_process():
        done = verb(*line, "--set", "alignrec.lr=1e30", "--set", "epochs=9")
    assert done.code == 1
    assert "failed: alignrec, seed 1: the tables hold NaN or infinity after epoch 0" in done.err
    assert "popularity" in done.out
    assert "repeat the command with --retry-failed" in done.err


def test_bad_input(catalogue, verb, tmp_path):
    line = ("compare", catalogue.path, "--out", tmp_path / "out")
    verb(*line, "--models", "svd").refused("unknown model", "svd")
    verb(*line, "--features", "audio").refused("no features 'audio'")
    verb(*line, "--jobs", 0).refused("jobs must be at least 1 (got 0)")
    verb(*line, "--models", "popularity", "--reference", "alignrec").refused("got 'alignrec'")
    verb("compare", tmp_path / "absent", "--out", tmp_path / "out").refused("no such data set folder")
    assert list(tmp_path.iterdir()) == []


def test_help_has_an_example(verb):
    assert "Example: alignrec-geo compare" in " ".join(verb("compare", "--help").out.split())


def epochs(out):
    """Epochs trained so far, over all runs."""
    return sum(log.read_bytes().count(b"\n") for log in out.glob("runs/*/*/metrics.jsonl"))


@pytest.mark.slow
def test_killed_five_times_real_runs_end_with_the_table_of_unbroken_ones(catalogue, tmp_path):
    def line(out, *more):
        options = ["--models", "alignrec,popularity", "--trials", 3, "--seeds", 2, "--set", "epochs=30", "--out", out]
        return list(map(str, [*PROGRAM, catalogue.path, *options, *more]))

    subprocess.run(line(tmp_path / "whole"), check=True)
    chance = random.Random(0)
    for _ in range(5):
        had = epochs(tmp_path / "cut")
        process = subprocess.Popen(line(tmp_path / "cut", "--jobs", "2"))
        while process.poll() is None and epochs(tmp_path / "cut") <= had:
            time.sleep(0.005)
        time.sleep(chance.random())  # somewhere in an epoch, in a write, between two runs
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(line(tmp_path / "cut"), check=True)
    whole, cut = (json.loads((tmp_path / name / "results.json").read_text()) for name in ("whole", "cut"))
    assert same(cut) == same(whole)
