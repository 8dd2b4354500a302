"""The verbs on runs, as a user calls them."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from importlib import import_module

import pytest

from alignrec_geo.dataset import make_catalogue
from tests.conftest import in_this_process

pytestmark = pytest.mark.first

PROGRAM = (sys.executable, "-m", "alignrec_geo.cli.app")


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    return make_catalogue(n_users=150, n_items=80, image_size=16).save(tmp_path_factory.mktemp("data") / "catalogue")


@pytest.fixture(scope="module")
def run(catalogue, tmp_path_factory):
    """A trained run, and what the verb printed."""
    out = tmp_path_factory.mktemp("runs") / "run"
    done = in_this_process("train", catalogue.path, "--out", out, "--set", "epochs=4", "--set", "dim=16", "--json")
    assert done.code == 0, done.err
    return out, json.loads(done.out)


def command(*args) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *map(str, args)], capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"}, check=False
    )


def test_train_prints_one_json_object(run):
    out, printed = run
    assert printed["protocol"] == "clean"
    assert printed["split"] == "test"
    assert 0 <= printed["metrics"]["recall@20"] <= 1
    assert printed["features"] == ["image", "text"]
    assert printed["seconds"] > 0
    assert {file.name for file in out.iterdir()} >= {
        "config.yaml",
        "metrics.jsonl",
        "checkpoint",
        "embeddings.safetensors",
        "dataset",
        "result.json",
    }


def test_evaluate_gives_the_metrics_of_training(run, verb, tmp_path):
    out, printed = run
    got = json.loads(verb("evaluate", out, "--json", "--per-user", tmp_path / "users.parquet").out)
    assert got["metrics"] == printed["metrics"]
    assert (got["protocol"], got["split"]) == ("clean", "test")
    assert (tmp_path / "users.parquet").exists()
    more = verb("evaluate", out, "--metrics", "mrr, coverage@20,diversity@10", "--json")
    assert list(json.loads(more.out)["metrics"]) == [
        *(f"mrr@{k}" for k in (5, 10, 20, 50)),
        "diversity@10",
        "coverage@20",
    ]
    assert "–" in verb("evaluate", out, "--metrics", "mrr,coverage@20").out
    verb("evaluate", out, "--metrics", "mrrr").refused("unknown metric (got 'mrrr')", "mrr")
    table = verb("evaluate", out, "--protocol", "mmrec", "--split", "validation").out
    assert "validation, protocol mmrec" in table
    assert "recall" in table


def test_recommend_and_similar(run, verb, catalogue, tmp_path):
    out, _ = run
    pairs = catalogue.interactions
    users = catalogue.users["id"].to_list()[:3]
    (tmp_path / "users.txt").write_text(f"{users[1]}\n\n{users[2]}\n")
    done = verb("recommend", out, "--user", users[0], "--users-file", tmp_path / "users.txt", "-k", 7, "--json")
    got = json.loads(done.out)["users"]
    assert list(got) == users
    for row, user in enumerate(users):
        items = [entry["item"] for entry in got[user]]
        assert len(items) == 7
        assert not {catalogue.items["id"][i] for i in pairs.item[pairs.user == row].tolist()} & set(items)
        assert [entry["score"] for entry in got[user]] == sorted((e["score"] for e in got[user]), reverse=True)
        assert all(entry["title"] for entry in got[user])
    assert users[0] in verb("recommend", out, "--user", users[0]).out
    like = json.loads(verb("similar", out, "--item", items[0], "-k", 3, "--json").out)
    assert like["item"] == items[0]
    assert len(like["similar"]) == 3
    assert "like item" in verb("similar", out, "--item", items[0]).out


def test_unknown_users(run, verb):
    out, _ = run
    verb("recommend", out, "--user", "nobody").refused("unknown user 'nobody'")
    done = verb("recommend", out, "--user", "nobody", "--unknown", "popular", "--json")
    assert len(json.loads(done.out)["users"]["nobody"]) == 10


def test_bad_input_leaves_nothing(catalogue, run, verb, tmp_path):
    out, data = tmp_path / "new", catalogue.path
    verb("train", data, "--out", out, "--model", "svd").refused("unknown model", "alignrec")
    verb("train", data, "--out", out, "--features", "audio").refused("no features 'audio'", "image, text")
    verb("train", data, "--out", out, "--set", "cca=1").refused("unknown setting 'cca'")
    verb("train", data, "--out", out, "--protocol", "loo").refused("protocol", "loo")
    verb("train", tmp_path / "absent", "--out", out).refused("no such data set folder")
    verb("train", data, "--out", out, "--config", tmp_path / "c.yaml").refused("no such file")
    verb("evaluate", tmp_path).refused("not a run folder")
    verb("evaluate", run[0], "--split", "dev").refused("unknown split (got 'dev')")
    verb("recommend", run[0]).refused("no user given")
    verb("recommend", run[0], "--users-file", tmp_path / "u.txt").refused("no such file")
    verb("recommend", run[0], "--users-file", tmp_path).refused("is a folder; a text file of user ids is needed")
    verb("train", data, "--out", run[0]).refused("holds a run already", "--resume")
    verb("train", data, "--out", run[0], "--resume", "--overwrite").refused("pass one of them")
    verb("train", data, "--out", run[0], "--resume", "--set", "dim=8").refused("other settings")
    assert list(tmp_path.iterdir()) == []


def test_config_file_none_features_and_overwrite(catalogue, verb, tmp_path):
    (tmp_path / "c.yaml").write_text("parameters: {dim: 8}\ntraining: {epochs: 1}\nseed: 5\n")
    out = tmp_path / "run"
    line = ("train", catalogue.path, "--out", out, "--config", tmp_path / "c.yaml", "--features", "none")
    done = verb(*line)
    assert done.code == 0, done.err
    assert "test, protocol clean" in done.out
    kept = (out / "config.yaml").read_text()
    for setting in ("dim: 8", "epochs: 1", "seed: 5", "features: []"):
        assert setting in kept
    assert verb(*line, "--overwrite", "--seed", 6, "--json").code == 0
    assert "seed: 6" in (out / "config.yaml").read_text()


def test_no_arguments_and_unknown_options_exit_with_2(verb):
    assert verb().code == 2
    done = command("train", "--nonsense")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_doctor(verb):
    report = json.loads(verb("doctor", "--json").out)
    assert report["backends"]["spmm"]["runs"] == "torch"
    assert report["versions"]["torch"].startswith("2.")
    assert "operation" in verb("doctor").out


@pytest.mark.parametrize("name", ["quickstart", "train", "evaluate", "recommend", "similar", "doctor"])
def test_every_verb_has_help_with_an_example(name, verb):
    done = verb(name, "--help")
    assert done.code == 0
    assert f"Example: alignrec-geo {name}" in " ".join(done.out.split())


@pytest.mark.slow
def test_killed_a_run_resumes_to_the_metrics_of_an_unbroken_one(catalogue, verb, tmp_path):
    def line(out):
        return ("train", catalogue.path, "--out", out, "--set", "epochs=15", "--set", "batch_size=64", "--json")

    whole = json.loads(verb(*line(tmp_path / "whole")).out)
    arguments = [*map(str, line(tmp_path / "cut")), "--resume"]
    chance = random.Random(0)
    kills = 0
    while kills < 1:  # tests/kills, which are slow, kill more often
        process = subprocess.Popen([*PROGRAM, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        log = tmp_path / "cut" / "metrics.jsonl"
        had = log.read_bytes().count(b"\n") if log.exists() else 0
        while process.poll() is None and (log.read_bytes().count(b"\n") if log.exists() else 0) <= had:
            time.sleep(0.005)
        time.sleep(chance.random() * 0.2)  # somewhere in an epoch, in a write, anywhere
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
    done = verb(*arguments)
    assert done.code == 0, done.err
    resumed = json.loads(done.out)
    assert resumed["metrics"] == whole["metrics"]
    assert resumed["best_epoch"] == whole["best_epoch"]
    records = [
        [
            {key: value for key, value in json.loads(text).items() if key != "seconds"}
            for text in (tmp_path / name / "metrics.jsonl").read_text().splitlines()
        ]
        for name in ("whole", "cut")
    ]
    assert records[0] == records[1]


@pytest.mark.slow
def test_ctrl_c_keeps_the_finished_epochs(catalogue, verb, tmp_path):
    out = tmp_path / "run"
    process = subprocess.Popen(
        [*PROGRAM, "train", str(catalogue.path), "--out", str(out), "--set", "patience=999"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (out / "checkpoint" / "last.safetensors").exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "go on with --resume" in " ".join(said.split())
    assert "Traceback" not in said
    assert verb("evaluate", out, "--json").code == 0


@pytest.mark.slow
def test_a_short_quickstart(verb, tmp_path, monkeypatch):
    module = import_module("alignrec_geo.cli.quickstart")
    monkeypatch.setattr(module, "EPOCHS", 2)
    monkeypatch.setattr(module, "STAGE_ONE", ("epochs=1", *module.STAGE_ONE[1:]))
    printed = json.loads(verb("quickstart", "--out", tmp_path / "q", "--json").out)
    assert list(printed["rows"]) == ["popularity", "id_only", "alignrec", "alignrec_aligned"]
    (top,) = printed["users"].values()
    assert all(entry["title"] for entry in top)
    assert len(top) == 10
    assert (tmp_path / "q" / "alignrec_aligned" / "embeddings.safetensors").exists()
    assert (tmp_path / "q" / "catalogue" / "encoders" / "aligned" / "model.safetensors").exists()


@pytest.mark.slow
def test_quickstart(tmp_path):
    """What it shows; ``.ci/run`` runs this one."""
    done = command("quickstart", "--out", tmp_path / "q", "--json")
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    rows = printed["rows"]
    assert list(rows) == ["popularity", "id_only", "alignrec", "alignrec_aligned"]
    assert rows["alignrec_aligned"]["recall@20"] > 1.05 * rows["id_only"]["recall@20"]
    held_out = printed["held_out"]
    assert held_out["patches"] < held_out["patches shuffled"] - 0.04
    assert rows["alignrec"]["recall@20"] > 1.05 * rows["id_only"]["recall@20"]
    assert rows["id_only"]["recall@20"] > 2 * rows["popularity"]["recall@20"]
    assert rows["alignrec"]["ndcg@20"] > rows["id_only"]["ndcg@20"]
    (top,) = printed["users"].values()
    assert len(top) == 10
    assert all(entry["title"] for entry in top)
    assert (tmp_path / "q" / "alignrec_aligned" / "embeddings.safetensors").exists()
    assert (tmp_path / "q" / "catalogue" / "encoders" / "aligned" / "model.safetensors").exists()
