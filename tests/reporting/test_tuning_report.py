"""The page of a search: true whoever is best, and text is text."""

import re

import pytest

from alignrec_geo.reporting.tuning_report import tuning_page, verdict, write_tuning_report


def trial(number, value, state="finished", layers=1, error=None):
    curve = [] if value is None else [[1, value / 2], [2, value]]
    return {
        "trial": number, "settings": {"layers": layers, "kind": "<b>"}, "state": state, "value": value, "epochs": 2,
        "seconds": 1.0 if state == "finished" else None, "error": error, "curve": curve,
    }  # fmt: skip


def results(*trials, best=None, default=None):
    chosen = None if best is None else {name: trials[best][name] for name in ("trial", "value", "settings", "epochs")}
    return {
        "command": "alignrec-geo tune <data>", "dataset": {"name": "<shop>"}, "model": "lightgcn", "features": [],
        "protocol": "clean", "metric": "recall@20", "planned": 9, "space": {"layers": [1, 2], "kind": ["<b>"]},
        "best": chosen, "default": default, "importance": {"layers": 0.75, "kind": 0.25}, "trials": list(trials),
        "machine": {"cpu": "x"},
    }  # fmt: skip


@pytest.fixture
def made():
    trials = (
        trial(0, 0.1),
        trial(1, 0.3, layers=2),
        trial(2, 0.05, "pruned"),
        trial(3, None, "failed", error="<i>nan</i>"),
        trial(4, None, "unfinished"),
    )
    return results(*trials, best=1, default=0.1)


def test_the_page(made, tmp_path):
    write_tuning_report(made, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "5 of 9 trials: 2 finished, 1 pruned, 1 failed, 1 unfinished" in text
    assert (
        "Trial 1 is best: recall@20 0.3000 on validation. The settings that the search began with reach 0.1000" in text
    )
    assert "75 %" in text
    assert text.count("<svg") == 4  # two charts, each for a wide page and for a phone
    assert not re.search(
        r"<script|<link|https?://(?!www\.w3\.org|purl\.org|creativecommons\.org|matplotlib\.org)", text
    )
    assert "<b>" not in text
    assert "<i>" not in text
    assert "&lt;i&gt;nan" in text
    rows = re.findall(r"<tr><td>(\d)</td><td>([\d.–]+)</td><td>(\w+)</td>", text)
    assert [row[0] for row in rows][:3] == ["1", "0", "2"]  # the best first, finished before others


def test_verdicts():
    assert verdict(results()) == "No trial has finished yet."
    first = results(trial(0, 0.2), trial(1, 0.1), best=0, default=0.2)
    assert "none of the others is better" in verdict(first)
    assert verdict(results(trial(0, None, "failed"), trial(1, 0.1), best=1)).endswith("0.1000 on validation.")


def test_a_search_without_anything_has_a_page():
    text = tuning_page(results())
    assert "none begun" in text
    assert "<svg" not in text
