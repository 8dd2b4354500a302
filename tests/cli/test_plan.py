"""``plan`` as people run it."""

import json

import pytest

from alignrec_geo.dataset import make_catalogue

BILLION = ("--users", "1e8", "--items", "10_000_000", "--edges", "1000000000", "--model", "lightgcn", "--ranks", "8")
H100 = ("--device", "h100", "--set", "batch_size=1000000")


def test_a_billion_edges(cli):
    done = cli("plan", *BILLION, *H100, check=0).stdout
    for word in ("320 GB", "0.146 s", "1,000 steps", "2.6", "fits: NVIDIA H100", "not measured"):
        assert word in done


def test_json_holds_the_numbers(cli):
    made = json.loads(cli("plan", *BILLION, *H100, "--json", check=0).stdout)
    assert made["step"]["product_bytes"] == 320_000_000_000
    assert made["epoch"]["steps"] == 1000
    assert made["fits"] is True
    assert made["memory"]["device_bytes"] == sum(p["bytes"] for p in made["memory"]["parts"] if p["on_device"])


def test_what_does_not_fit_says_what_to_do(cli):
    done = cli("plan", *BILLION[:-1], "1", *H100, check=0)
    assert "does not fit" in done.stderr
    assert "--ranks 8" in done.stderr


def test_counts_and_features_of_a_data_set(cli, tmp_path):
    data = make_catalogue(n_users=60, n_items=40, image_size=16).save(tmp_path / "data")
    made = json.loads(cli("plan", data.path, "--device", "h200", "--set", "train_features=false", "--json").stdout)
    assert (made["users"], made["items"], made["edges"]) == (60, 40, data.counts()["train"])
    assert made["settings"]["width"] > 0
    assert made["settings"]["train_features"] is False
    larger = json.loads(cli("plan", data.path, "--device", "h200", "--users", "1e6", "--json").stdout)
    assert larger["users"] == 1_000_000
    ids = json.loads(cli("plan", data.path, "--device", "h200", "--width", "0", "--json").stdout)
    assert ids["settings"]["width"] == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--users", "5"), "--items and --edges must be given"),
        ((*BILLION, "--device", "h900"), "h100, h200, here"),
        ((*BILLION[:1], "many", *BILLION[2:]), "--users takes a whole number"),
        ((*BILLION[:1], "1.5", *BILLION[2:]), "--users takes a whole number"),
        ((*BILLION[:-1], "3", *H100), "multiple of ranks"),
        ((*BILLION, "--model", "freedom", *H100), "alignrec, bpr, lightgcn"),
        ((*BILLION, *H100, "--set", "dims=3"), "dims"),
        (("nowhere", "--device", "h100"), "no such data set folder"),
    ],
)
def test_bad_input_is_one_error(verb, options, words):
    verb("plan", *options).refused(words)
