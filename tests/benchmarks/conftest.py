"""The benchmarks are programs, not a package: their folder is where their modules are found."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Item graphs go to the test's folder."""
    monkeypatch.setenv("ALIGNREC_CACHE", str(tmp_path / "cache"))
