"""Tests of verbs train many small runs: their reports' charts are drawn where a test asks for them alone."""

import pytest

from alignrec_geo.reporting import run_report


@pytest.fixture
def whole_reports() -> None:
    """For tests that read the page of a run."""


@pytest.fixture(autouse=True)
def _pages_without_charts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a page of one line for runs that are trained in this process: a whole one takes 1.5 s."""
    if "whole_reports" not in request.fixturenames:
        monkeypatch.setattr(run_report, "run_page", lambda *parts: "<!doctype html>")
