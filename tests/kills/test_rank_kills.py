"""Ten kills of a rank at random moments: all end in time, and the run goes on with another number of ranks."""

import os
import random
import signal
import time

import pytest

from alignrec_geo.dataset import make_catalogue
from alignrec_geo.training.run_folder import RunFolder
from tests.distributed.started import Started, gone
from tests.training.small_runs import lines, without_seconds

pytestmark = pytest.mark.slow

KILLS = 10
MOST = 30.0
"""Seconds within which all ranks must have ended."""
OPTIONS = ("--model", "lightgcn", "--set", "epochs=120", "--set", "patience=120", "--log-to", "none")


def test_ten_kills_and_other_numbers_of_ranks(tmp_path, verb):
    data = make_catalogue(n_users=80, n_items=50, image_size=8).save(tmp_path / "data").path
    drawn = random.Random(0)
    run, slowest, said = tmp_path / "run", 0.0, []

    def command(ranks):
        return ["-m", "alignrec_geo", "train", data, "--out", run, "--resume", "--ranks", ranks, *OPTIONS]

    for number in range(KILLS):
        size = drawn.choice((2, 4))
        started = Started(command(size), tmp_path)
        if number % 4 == 3:  # while they start
            assert started.until(lambda started=started, size=size: len(started.ranks()) == size)
            time.sleep(drawn.uniform(0.0, 8.0))
        else:
            assert started.until_it_trains(), started.said.read_text()
            time.sleep(drawn.uniform(0.0, 3.0))
        ranks = started.ranks()
        victim = drawn.choice(ranks)
        os.kill(victim, signal.SIGKILL)
        slowest = max(slowest, started.end(MOST))
        assert started.process.returncode == 1, started.said.read_text()
        (line,) = started.errors()
        assert f"rank {ranks.index(victim)} was ended by SIGKILL" in line
        assert gone(ranks, MOST)
        said.append(f"{size} ranks, {len(lines(run)) if run.exists() else 0} epochs kept")
    started = Started(command(2), tmp_path)
    started.end(600)
    assert started.process.returncode == 0, started.said.read_text()
    assert verb("train", data, "--out", tmp_path / "one", *OPTIONS).code == 0
    expected, found = (without_seconds(lines(folder)) for folder in (tmp_path / "one", run))
    assert len(found) == 120
    for ours, theirs in zip(found, expected, strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-5)
        assert ours["validation"] == pytest.approx(theirs["validation"], abs=1e-6)
    expected, found = (RunFolder(tmp_path / name).read_result()["metrics"] for name in ("one", "run"))
    assert found == pytest.approx(expected, abs=1e-6)
    print(f"all ended within {slowest:.1f} s; {said}")
