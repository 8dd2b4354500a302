"""A data set folder, and comparisons whose runs are fake: they end at once and depend on the configuration alone."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from alignrec_geo.comparison import engine, process, schedule
from alignrec_geo.dataset import make_catalogue

FAKE = Path(__file__).with_name("fake_worker.py")
PROGRAM = Path(__file__).with_name("program.py")


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory):
    return make_catalogue(n_users=80, n_items=50, image_size=16).save(tmp_path_factory.mktemp("data") / "catalogue")


def use_fake_worker(monkeypatch):
    """Let comparisons in this process start the fake worker; the tables are not made."""
    monkeypatch.setattr(process, "COMMAND", (sys.executable, str(FAKE)))
    monkeypatch.setattr(schedule, "POLL", 0.02)
    monkeypatch.setitem(sys.modules, "alignrec_geo.reporting", SimpleNamespace(write_report=lambda *args: None))


@pytest.fixture
def fake_compare(catalogue, tmp_path, monkeypatch):
    """Call ``compare`` with the fake worker in this process."""
    use_fake_worker(monkeypatch)

    def run(*models, out="out", **options):
        return engine.compare(catalogue.path, tmp_path / out, models, **options)

    return run


@pytest.fixture
def program(catalogue):
    """Start ``alignrec-geo compare`` with the fake worker as a process."""

    def start(*arguments):
        line = [sys.executable, PROGRAM, FAKE, "compare", catalogue.path, *arguments]
        return subprocess.Popen(list(map(str, line)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return start


def same(results: dict) -> dict:
    """Results without what depends on when, where and how fast they were made."""
    kept = {key: value for key, value in results.items() if key not in ("machine", "command")}
    times = ("seconds", "seconds_per_epoch", "seconds_to_best", "peak_memory_mb")
    return {
        **kept,
        "models": [
            {
                **model,
                **{
                    kind: [{key: value for key, value in run.items() if key not in times} for run in model[kind]]
                    for kind in ("trials", "runs")
                },
            }
            for model in results["models"]
        ],
    }


def starts(out: Path) -> dict[str, int]:
    """How often each run was started."""
    logs = sorted(out.glob("runs/*/*/worker.log"))
    return {str(log.parent.relative_to(out / "runs")): log.read_text().count("started as process") for log in logs}
