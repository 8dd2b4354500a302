"""``train --ranks``: what is refused before anything starts, and how the end of ranks is told."""

import json
import logging
from types import SimpleNamespace

import pytest

from alignrec_geo.cli.output import stderr, stdout
from alignrec_geo.cli.progress import what_starts
from alignrec_geo.cli.ranks import place_for, what_ended, what_is_kept
from alignrec_geo.dataset import make_catalogue
from alignrec_geo.errors import InputError
from alignrec_geo.ranks import LOST, OURS, launched


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_catalogue(n_users=20, n_items=30, image_size=8).save(tmp_path_factory.mktemp("ranks") / "data").path


@pytest.fixture
def second_of_three(monkeypatch):
    """The environment of a rank."""
    for name, value in {"RANK": 1, "WORLD_SIZE": 3, "LOCAL_RANK": 1, "MASTER_ADDR": "localhost"}.items():
        monkeypatch.setenv(name, str(value))
    log = logging.getLogger("alignrec_geo")
    level = log.level
    yield
    stderr.quiet = stdout.quiet = False
    log.setLevel(level)


REFUSED = {
    ("--ranks", 3): ("dim=64", "3 ranks", "--ranks may be 1, 2, 4"),
    ("--ranks", 2, "--model", "alignrec-plus"): ("'alignrec-plus' starts with singular vectors", "alignrec, bm3"),
    ("--ranks", 2, "--model", "mmgcn"): (
        "'mmgcn' mixes the columns of its tables",
        "alignrec, bm3, bpr, freedom, lightgcn, mgcn",
    ),
    ("--ranks", 2, "--user-item-conv", "sage"): ("user_item_conv must be 'light' (got 'sage')",),
    ("--ranks", 2, "--set", "conv_norm=row"): ("conv_norm must be 'none' (got 'row')",),
    ("--ranks", 2, "--set", "user_item_conv=[light, gatv2]"): ("got ['light', 'gatv2']",),
    ("--ranks", 2, "--compile"): ("training.compile",),
    ("--ranks", 0): ("--ranks",),
}


@pytest.mark.parametrize("options", REFUSED, ids=lambda options: " ".join(map(str, options)))
def test_what_many_ranks_cannot_train_is_refused_before_they_start(verb, data, tmp_path, options, monkeypatch):
    monkeypatch.setattr("alignrec_geo.cli.train.start_ranks", lambda *given: pytest.fail("ranks were started"))
    verb("train", data, "--out", tmp_path / "run", *options).refused(*REFUSED[options])
    assert not (tmp_path / "run").exists()


def test_a_run_that_is_there_is_not_replaced(verb, data, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    verb("train", data, "--out", tmp_path, "--ranks", 2).refused("other content")


def test_one_rank_is_a_run_like_any_other(verb, data, tmp_path):
    done = verb("train", data, "--model", "bpr", "--out", tmp_path / "run", "--ranks", 1, "--set", "epochs=1")
    assert done.code == 0, done.err


def test_the_launcher_and_the_option_must_agree(verb, data, tmp_path, second_of_three):
    with pytest.raises(InputError, match="ranks=2 contradicts the launcher of this process, which has started 3"):
        place_for(2)
    assert place_for(3).follows
    assert place_for(None) == launched() == (1, 3, 1, 0)


def test_a_follower_leaves_its_error_to_the_launcher(verb, tmp_path, second_of_three, monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(tmp_path / "error.json"))
    done = verb("train", tmp_path / "nowhere", "--out", tmp_path / "run")
    assert (done.code, done.out, done.err) == (2, "", "")
    assert "nowhere" in json.loads((tmp_path / "error.json").read_text())["message"]


@pytest.mark.parametrize("missing", ["RANK", "WORLD_SIZE", "MASTER_ADDR"])
def test_without_a_launcher_there_are_no_ranks(second_of_three, monkeypatch, missing):
    monkeypatch.delenv(missing)
    assert launched() is None


@pytest.mark.parametrize("size", ["1", "many", ""])
def test_one_process_alone_is_none_of_several(second_of_three, monkeypatch, size):
    monkeypatch.setenv("WORLD_SIZE", size)
    assert launched() is None


def failure(code, message="nothing"):
    return SimpleNamespace(exitcode=code, message=message)


def test_what_ended_the_ranks_is_the_first_cause():
    assert what_ended({0: failure(LOST), 1: failure(-9)}) == (
        1,
        "rank 1 was ended by SIGKILL (often: out of memory), and the others with it",
    )
    assert what_ended({0: failure(-15), 2: failure(2, "no such file")}) == (2, "no such file")
    assert what_ended({0: failure(1, "loss is nan"), 1: failure(1, "loss is nan")}) == (1, "loss is nan")
    assert what_ended({1: failure(LOST, "another rank has ended"), 2: failure(LOST)}) == (1, "another rank has ended")
    assert what_ended({0: failure(-15), 1: failure(LOST), 3: failure(-6)})[1].startswith("rank 3 was ended by SIGABRT")


def test_what_is_kept_says_how_to_go_on(tmp_path):
    assert "give the same command again" in what_is_kept(tmp_path)
    (tmp_path / "config.yaml").touch()
    assert f"saved in {tmp_path}, go on with --resume" in what_is_kept(tmp_path)


def test_progress_says_how_many_ranks_there_are():
    facts = {"model": "bpr", "parameters": 1000, "device": "cpu", "epochs": 3, "ranks": 4}
    assert what_starts(facts) == "bpr: 1,000 parameters on 4 ranks (cpu), at most 3 epochs"


def test_ranks_of_ours_say_nothing_themselves(verb, tmp_path, monkeypatch):
    monkeypatch.setenv(OURS, "1")
    assert verb("train", tmp_path / "nowhere", "--out", tmp_path / "run").err == ""
