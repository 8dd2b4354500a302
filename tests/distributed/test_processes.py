"""Ranks as processes: how they start, are stopped, and end with each other. Each starts three Pythons or more."""

import json
import os
import signal

import pytest

from alignrec_geo.dataset import make_catalogue
from alignrec_geo.training.run_folder import RunFolder
from tests.distributed.started import Started, gone
from tests.training.small_runs import lines, without_seconds

pytestmark = pytest.mark.slow

ENDLESS = ("--model", "lightgcn", "--set", "epochs=9999", "--set", "patience=9999", "--log-to", "none")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_catalogue(n_users=60, n_items=40, image_size=16).save(tmp_path_factory.mktemp("ranks") / "data").path


def train(data, folder, *options):
    return Started(["-m", "alignrec_geo", "train", data, "--out", folder / "run", *options], folder)


def test_two_ranks_leave_the_run_of_one_and_speak_with_one_voice(data, tmp_path, verb):
    options = ("--set", "epochs=2", "--set", "dim=16", "--log-to", "none", "--json")
    started = train(data, tmp_path, "--ranks", 2, *options)
    started.end(120)
    assert started.process.returncode == 0, started.said.read_text()
    said = started.said.read_text().splitlines()
    assert len([line for line in said if "2 ranks (cpu)" in line]) == 1
    assert len([line for line in said if line.startswith("catalogue: ")]) == 1
    found = json.loads(said[-1])
    expected = json.loads(verb("train", data, "--out", tmp_path / "one", *options).out)
    assert found["metrics"] == pytest.approx(expected["metrics"], abs=1e-6)
    assert found["parameters"] == expected["parameters"]
    assert (tmp_path / "run" / "report.html").exists()
    assert sorted(os.listdir(tmp_path / "run")) == sorted(os.listdir(tmp_path / "one"))


def test_a_killed_rank_ends_all_with_one_line(data, tmp_path):
    started = train(data, tmp_path, "--ranks", 2, *ENDLESS)
    assert started.until_epochs(tmp_path / "run", 2), started.said.read_text()
    ranks = started.ranks()
    assert len(ranks) == 2
    os.kill(ranks[1], signal.SIGKILL)
    assert started.end(30) < 30
    assert started.process.returncode == 1
    (line,) = started.errors()
    assert "rank 1 was ended by SIGKILL" in line
    assert "go on with --resume" in line
    assert gone(ranks)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_they_stop_as_one_process_does(data, tmp_path, number, code):
    started = train(data, tmp_path, "--ranks", 2, *ENDLESS)
    assert started.until_epochs(tmp_path / "run", 2), started.said.read_text()
    ranks = started.ranks()
    started.process.send_signal(number)
    started.end()
    assert started.process.returncode == code
    assert started.errors() == [f"stopped; every finished epoch is saved in {tmp_path / 'run'}, go on with --resume"]
    assert gone(ranks)
    assert not [name for name in os.listdir(tmp_path) if name.endswith((".part", ".old"))]


def test_ranks_end_when_who_started_them_is_killed(data, tmp_path):
    started = train(data, tmp_path, "--ranks", 2, *ENDLESS)
    assert started.until_it_trains(), started.said.read_text()
    ranks = started.ranks()
    started.process.kill()
    assert gone(ranks)


def test_torchrun_starts_all_ranks_anew_and_the_run_goes_on(data, tmp_path, verb):
    options = ("--model", "lightgcn", "--set", "epochs=60", "--set", "patience=60", "--log-to", "none")
    torchrun = ["-m", "torch.distributed.run", "--nproc-per-node", 2, "--max-restarts", 1, "-m", "alignrec_geo"]
    started = Started([*torchrun, "train", data, "--out", tmp_path / "run", *options], tmp_path)
    assert started.until_epochs(tmp_path / "run", 2), started.said.read_text()
    os.kill(started.ranks()[1], signal.SIGKILL)
    started.end(300)
    assert started.process.returncode == 0, started.said.read_text()
    assert verb("train", data, "--out", tmp_path / "one", *options).code == 0
    assert without_seconds(lines(tmp_path / "run")) == without_seconds(lines(tmp_path / "one"))
    expected, found = (RunFolder(tmp_path / name).read_result()["metrics"] for name in ("one", "run"))
    assert found == pytest.approx(expected, abs=1e-6)
