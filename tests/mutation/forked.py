"""Tests in a fork of this process, which has imported everything but the program."""

import contextlib
import importlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import coverage
import pytest

from tests.mutation.functions import functions_at

WARM = (
    "torch", "torch_geometric", "torch_geometric.nn", "polars", "scipy.sparse", "hypothesis", "PIL.Image", "pydantic",
    "safetensors.torch", "typer", "rich.console", "yaml", "pyarrow", "matplotlib", "sklearn", "pandas",
)  # fmt: skip
"""What tests import besides the program, and what takes long to import."""


@dataclass
class Outcome:
    """What the tests of one fork did.

    Args:
        status: ``passed``, ``failed`` (a test failed or could not be collected), ``timeout`` or ``crashed``.
        noticed: the first test that failed.
        passed: the tests that passed and the seconds they took.
        reached: with ``trace``, the functions of the program that a test entered, as ``path::name``.
    """

    status: str
    noticed: str | None = None
    passed: dict[str, float] = field(default_factory=dict)
    reached: dict[str, list[str]] = field(default_factory=dict)


def warm_up() -> None:
    """Import what the forks share."""
    for name in WARM:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    import torch

    torch.set_num_threads(1)


def copy_tree(root: Path, to: Path) -> None:
    """Copy the working tree: what git tracks, and what it does not ignore."""
    shutil.rmtree(to, ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (root / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, to / name)


class _Watch:
    """The plugin that selects tests, and tells what became of them."""

    def __init__(self, wanted: Sequence[str] | None, tell: Any, cov: coverage.Coverage | None) -> None:
        self.order = None if wanted is None else {name: index for index, name in enumerate(wanted)}
        self.tell, self.cov = tell, cov

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        if self.order is not None:
            items[:] = sorted(
                (item for item in items if item.nodeid in self.order), key=lambda item: self.order[item.nodeid]
            )

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.tell({"failed": f"collection of {report.nodeid}"})

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if self.cov is not None:
            self.cov.switch_context(item.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.tell({"failed": report.nodeid})
        elif report.when == "call" and report.passed:
            self.tell({"passed": report.nodeid, "seconds": round(report.duration, 3)})


def run_tests(
    copy: Path,
    paths: Iterable[str],
    wanted: Sequence[str] | None = None,
    *,
    scratch: Path,
    cpu: float = 600.0,
    wall: float = 1200.0,
    trace: bool = False,
) -> Outcome:
    """Run tests of a copy in a fork, until the first failure (with ``trace``: all).

    Args:
        copy: the copied tree.
        paths: test files, or modules with doctests.
        wanted: ids of the tests to run, in this order; ``None`` runs all.
        scratch: folder for what the tests write; emptied before.
        cpu: seconds of processor time after which the fork is ended.
        wall: seconds after which it is ended, whatever it does.
        trace: note which functions each test enters.
    """
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    events = scratch / "events.jsonl"
    child = os.fork()
    if child == 0:
        code = 70
        try:
            code = _child(copy, list(paths), wanted, scratch, events, cpu, trace)
        finally:
            os._exit(code)
    status, ended = 0, False
    deadline = time.monotonic() + wall
    while not ended and time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        ended = pid != 0
        if not ended:
            time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # the group that the fork made, with what its tests have started
    if not ended:
        os.waitpid(child, 0)
    return _outcome(events, status if ended else signal.SIGXCPU)


def _child(
    copy: Path, paths: list[str], wanted: Sequence[str] | None, scratch: Path, events: Path, cpu: float, trace: bool
) -> int:
    os.setsid()
    resource.setrlimit(resource.RLIMIT_CPU, (int(cpu) + 1, int(cpu) + 5))
    resource.setrlimit(resource.RLIMIT_AS, (12 << 30, 12 << 30))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with (scratch / "output.txt").open("w") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    home = scratch / "home"
    home.mkdir()
    os.environ |= {"PYTHONPATH": str(copy), "HOME": str(home), "TMPDIR": str(home), "XDG_CACHE_HOME": str(home)}
    os.environ |= {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    sys.dont_write_bytecode = not trace
    os.chdir(copy)
    sys.path[:] = [str(copy), *(path for path in sys.path if not Path(path, "alignrec_geo").is_dir())]
    for name in [name for name in sys.modules if name == "tests" or name.startswith("tests.")]:
        del sys.modules[name]
    assert not any(name == "alignrec_geo" or name.startswith("alignrec_geo.") for name in sys.modules)
    sys.argv = ["pytest"]
    from hypothesis import Phase, settings

    settings.register_profile("mutation", phases=[Phase.explicit, Phase.generate], database=None, derandomize=True)
    settings.load_profile("mutation")
    cov = None
    if trace:
        cov = coverage.Coverage(data_file=None, config_file=False, source=[str(copy / "alignrec_geo")])
        cov.start()
    with events.open("w") as stream:

        def tell(event: dict[str, Any]) -> None:
            stream.write(json.dumps(event) + "\n")
            stream.flush()

        options = ["-q", "-p", "no:cacheprovider", f"--basetemp={scratch / 'tmp'}", f"--rootdir={copy}"]
        options += [] if trace else ["-x"]
        code = pytest.main([*options, *paths], plugins=[_Watch(wanted, tell, cov)])
        if cov is not None:
            cov.stop()
            tell({"reached": _functions_by_test(cov, copy)})
    return int(code)


def _outcome(events: Path, status: int) -> Outcome:
    outcome = Outcome("passed")
    told = [json.loads(line) for line in events.read_text().splitlines()] if events.exists() else []
    for event in told:
        if "passed" in event:
            outcome.passed[event["passed"]] = event["seconds"]
        elif "failed" in event:
            outcome.noticed = outcome.noticed or event["failed"]
        else:
            outcome.reached = event["reached"]
    if outcome.noticed is not None:
        outcome.status = "failed"
    elif os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL):
        outcome.status = "timeout"
    elif os.WIFSIGNALED(status):
        outcome.status = "crashed"
    elif os.WEXITSTATUS(status) not in (0, 5):
        outcome.status, outcome.noticed = "failed", f"pytest ended with {os.WEXITSTATUS(status)}"
    return outcome


def _functions_by_test(cov: coverage.Coverage, copy: Path) -> dict[str, list[str]]:
    reached: dict[str, set[str]] = {}
    data = cov.get_data()
    for file in data.measured_files():
        path = Path(file)
        names = functions_at(path.read_bytes())
        for line, contexts in data.contexts_by_lineno(file).items():
            name = names.get(line)
            if name is not None:
                for test in filter(None, contexts):
                    reached.setdefault(test, set()).add(f"{path.relative_to(copy)}::{name}")
    return {test: sorted(names) for test, names in reached.items()}
