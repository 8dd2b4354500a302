"""Who wants no progress gets none of ``huggingface_hub`` either."""

import os
import sys

import pytest

from alignrec_geo.cli.hub import quiet_bars
from alignrec_geo.cli.output import stderr

VARIABLE = "HF_HUB_DISABLE_PROGRESS_BARS"


@pytest.mark.parametrize(
    ("terminal", "as_json", "quiet", "wanted"),
    [(True, False, False, None), (True, False, True, "1"), (True, True, False, "1"), (False, False, False, "1")],
)
def test_bars(monkeypatch: pytest.MonkeyPatch, terminal: bool, as_json: bool, quiet: bool, wanted: str | None) -> None:
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    monkeypatch.setattr(stderr, "quiet", quiet)
    quiet_bars(as_json)
    assert os.environ.get(VARIABLE) == wanted
    os.environ.pop(VARIABLE, None)
