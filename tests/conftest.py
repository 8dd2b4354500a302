"""Fixtures every test may use."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny models gain nothing from threads, and lose much on a busy machine
os.environ.pop("COLUMNS", None)  # pytest-xdist sets it; a console takes it for its width once and for all

import gc
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest
from markupsafe import Markup

from alignrec_geo.cli.app import main
from alignrec_geo.reporting import run_report
from alignrec_geo.reporting.charts import Chart

gc.disable()  # 5,000 tests are collected into a million objects that stay


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """From here on only what tests make is looked through for garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """On several workers a file runs on one of them, which makes its fixtures once; the longest files begin."""
    items.sort(key=lambda item: item.get_closest_marker("first") is None)


Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def process(tmp_path: Path) -> Cli:
    """Run a verb as a process of its own in an empty folder: ``process("data", "describe", path, check=0)``."""

    def run(*args: object, check: int | None = None, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "alignrec_geo.cli.app", *map(str, args)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=timeout,
            env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1"},
        )
        if check is not None:
            assert done.returncode == check, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return run


@dataclass
class Done:
    """What a verb that was run in this process did."""

    code: int
    out: str
    err: str

    def refused(self, *words: str) -> None:
        """Assert bad input: exit code 2, one error line that holds ``words``, nothing on standard output."""
        assert self.code == 2, self.err
        assert self.out == ""
        errors = [line for line in self.err.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1, self.err
        for word in words:
            assert word in errors[0]


def in_this_process(*args: object) -> Done:
    """Run a verb through the program's own ``main`` in this process: the fixture ``verb``, for other fixtures too."""
    out, err, code = StringIO(), StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["alignrec-geo", *map(str, args)])
        patch.setenv("COLUMNS", "200")
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
    return Done(code, out.getvalue(), err.getvalue())


@pytest.fixture
def verb() -> Callable[..., Done]:
    """Run a verb through the program's own ``main`` in this process, which saves the start of a new one."""
    return in_this_process


@pytest.fixture
def cli(verb: Callable[..., "Done"], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """Run a verb in this process in an empty folder: ``cli("data", "describe", path, check=0)``."""
    monkeypatch.chdir(tmp_path)

    def run(*args: object, check: int | None = None) -> subprocess.CompletedProcess[str]:
        done = verb(*args)
        if check is not None:
            assert done.code == check, f"exit code {done.code}\n{done.out}\n{done.err}"
        return subprocess.CompletedProcess(args, done.code, done.out, done.err)

    return run


QUICK = {
    (run_report, "run_page"): lambda *parts: "<!doctype html>",
    (Chart, "inline"): lambda *parts, **form: Markup("<svg/>"),
    (Chart, "png"): lambda chart: b"",
}
"""What takes the time of reports, and what stands in its place."""
WHOLE = {(owner, name): getattr(owner, name) for owner, name in QUICK}


@pytest.fixture(autouse=True, scope="module")
def quick_pages() -> Iterator[None]:
    """Most tests that train or compare do not read the page that is made: drawing it takes 1.5 s.

    Tests that do use the fixture ``whole_reports``, those of a whole folder ``whole_pages`` under this name.
    """
    with pytest.MonkeyPatch.context() as patch:
        for place, quick in QUICK.items():
            patch.setattr(*place, quick)
        yield


@pytest.fixture(scope="module")
def whole_pages() -> None:
    """Pages as users get them."""


@pytest.fixture
def whole_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that read the page of a run or of a comparison."""
    for place, whole in WHOLE.items():
        monkeypatch.setattr(*place, whole)


@pytest.fixture(scope="session")
def served_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run to serve, with images, an item that came later, and titles that would like to be code."""
    from tests.service.small_run import trained

    return trained(tmp_path_factory.mktemp("served"))


@pytest.fixture
def shared_data() -> Path:
    """The folder of real data beside the checkout; the test is skipped where it is absent."""
    return real_data()


def real_data() -> Path:
    """The same for fixtures of more than one test."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"real data sets are not on this machine ({folder})")
    return folder
