"""``explain`` as a user calls it."""

import json

import pytest

from alignrec_geo.dataset import make_catalogue
from alignrec_geo.models import BPRMF, AlignRec
from alignrec_geo.training import fit


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("explained")
    data = make_catalogue(n_users=60, n_items=40, image_size=16).save(root / "catalogue")
    for kind in (AlignRec, BPRMF):
        fit(kind.from_dataset(data, config={"dim": 16}), out=root / kind.__name__, config={"epochs": 2})
    return root


ASKED = ("--user", "user-0001", "--item", "item-0007")


def test_tables_and_json_say_the_same(verb, runs):
    found = json.loads(verb("explain", runs / "AlignRec", *ASKED, "--json").out)
    assert abs(sum(found["parts"].values()) - found["score"]) < 1e-5
    said = " ".join(verb("explain", runs / "AlignRec", *ASKED, "-k", 2).out.split())  # titles are wrapped
    assert f"score {found['score']:.4f}, place {found['rank']} of {found['candidates']}" in said
    assert "user's branch - item's branch (exact)" in said
    assert "what past items bring (exact)" in said
    assert f"{len(found['history']) - 2} more past items" in said
    for one in found["history"][:2]:
        assert one["item"] in said
        assert f"{one['identity'] + one['content']:+.4f}" in said


def test_the_report(verb, runs, tmp_path):
    report = tmp_path / "why.html"
    done = verb("explain", runs / "AlignRec", *ASKED, "--report", report)
    assert done.code == 0
    assert str(report) in " ".join(done.err.split("\n"))
    assert report.read_text(encoding="utf-8").startswith("<!doctype html>")
    asked = json.loads(verb("explain", runs / "AlignRec", *ASKED, "--report", report, "--json").out)
    assert asked["report"] == str(report)
    verb("explain", runs / "AlignRec", *ASKED, "--report", tmp_path).refused("is a folder")
    verb("explain", runs / "AlignRec", *ASKED, "--report", report / "x.html").refused("is a file")


def test_a_model_without_past_items(verb, runs):
    said = verb("explain", runs / "BPRMF", *ASKED).out
    assert "no past item" in said


def test_what_is_refused(verb, runs, tmp_path):
    verb("explain", runs / "AlignRec", "--user", "nobody", "--item", "item-0007").refused("unknown user 'nobody'")
    verb("explain", runs / "AlignRec", "--user", "user-0001", "--item", "x").refused("unknown item 'x'")
    verb("explain", runs / "catalogue", *ASKED).refused("not a run folder")
    verb("explain", tmp_path / "absent", *ASKED).refused("not a run folder")
    other = make_catalogue(n_users=60, n_items=30, image_size=16).save(tmp_path / "other")
    verb("explain", runs / "AlignRec", *ASKED, "--dataset", other.path).refused("is not the one")
