import json
import shutil

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from quality import stored

from alignrec_geo.comparison import compare
from alignrec_geo.comparison.layout import Layout
from alignrec_geo.comparison.plan import Plan
from alignrec_geo.comparison.results import collect
from alignrec_geo.dataset import make_catalogue
from alignrec_geo.errors import InputError
from tests.in_this_process import runs_in_this_process

REQUEST = {"features": ["text"], "trials": 1, "settings": ["epochs=2"]}
MODELS = ["bpr", "popularity"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    pytest.importorskip("optuna")
    root = tmp_path_factory.mktemp("stored")
    data = make_catalogue(n_users=80, n_items=50, image_size=16).save(root / "catalogue").path
    with runs_in_this_process():
        compare(data, root / "made", MODELS, seeds=1, **REQUEST)
    (root / "results").mkdir()
    stored.store(root / "made", root / "results", "table", "a note")
    return root


def test_a_comparison_goes_on_from_what_was_kept(finished, tmp_path):
    again = tmp_path / "again"
    assert stored.restore(finished / "results", "table", again) == 3
    before = set(again.glob("runs/*/*/cost.json"))
    with runs_in_this_process():
        results = compare(finished / "catalogue", again, MODELS, seeds=2, **REQUEST)
    kept = json.loads((finished / "made" / "results.json").read_text())
    for ours, theirs in zip(results["models"], kept["models"], strict=True):
        assert ours["trials"] == theirs["trials"]
        assert {**ours["runs"][0], "curve": []} == {**theirs["runs"][0], "curve": []}  # lines of epochs are not kept
        assert theirs["name"] == "popularity" or len(theirs["runs"][0]["curve"]) == 2
        assert [run["seed"] for run in ours["runs"]] == [1, 2]
    trained = sorted(path.parent.name for path in again.glob("runs/*/*/metrics.jsonl"))
    assert len(before) == 3
    assert len(trained) == 2  # only the second seeds were trained
    assert all(name.startswith("seed-2") for name in trained)
    first = pl.read_parquet(again / "per_user.parquet").filter(pl.col("seed") == 1)
    assert_frame_equal(first, pl.read_parquet(finished / "made" / "per_user.parquet"))


def test_notes_and_machines_are_kept(finished, tmp_path):
    results = shutil.copytree(finished / "results", tmp_path / "results")
    table = results / "table.json"
    before = json.loads(table.read_text())
    before["machines"][0]["cpu"] = "another"
    table.write_text(json.dumps(before))
    stored.store(finished / "made", results, "table")
    after = json.loads(table.read_text())
    assert after["note"] == "a note"
    assert [machine["cpu"] == "another" for machine in after["machines"]] == [True, False]


def test_the_gpu_of_a_run_is_kept(finished, tmp_path):
    results = shutil.copytree(finished / "results", tmp_path / "results")
    table = results / "table.json"
    before = json.loads(table.read_text())
    assert [run["gpu"] for model in before["models"] for run in model["runs"]] == [None, None]
    before["models"][1]["runs"][0]["gpu"] = "NVIDIA H200"  # not of the model whose trials are chosen from first
    table.write_text(json.dumps(before))
    stored.restore(results, "table", tmp_path / "again")
    layout = Layout(tmp_path / "again")
    after, _ = collect(Plan.load(layout.plan), layout)
    assert [run["gpu"] for model in after["models"] for run in model["runs"]] == ["NVIDIA H200"]
    assert after["machine"]["gpu"] == "NVIDIA H200"
    (path,) = layout.root.glob("runs/popularity/*/result.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "machine": {"gpu": ["damaged"]}}))
    assert "gpu" not in collect(Plan.load(layout.plan), layout)[0]["machine"]


def test_the_report_is_kept(finished):
    report = finished / "results" / "table" / "report.html"
    assert report.read_bytes() == (finished / "made" / "report.html").read_bytes()


def test_nothing_is_overwritten(finished, tmp_path):
    with pytest.raises(InputError, match="exists already"):
        stored.restore(finished / "results", "table", tmp_path)


def test_a_kept_report_is_drawn_anew(finished, tmp_path):
    results = shutil.copytree(finished / "results", tmp_path / "results")
    before = (results / "table" / "report.html").read_bytes()
    (results / "table" / "report.html").write_text("old")
    assert stored.redraw(results, "table").read_bytes() == before
    with pytest.raises(InputError, match="no stored comparison"):
        stored.redraw(results, "nothing")
