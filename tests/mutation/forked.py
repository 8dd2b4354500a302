"""Tests in forks of a process that has imported everything, collected them, and run none."""

import contextlib
import gc
import importlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import coverage
import pytest

from tests.mutation.functions import functions_at
from tests.mutation.outcome import Outcome, outcome_of

WARM = (
    "torch", "torch_geometric", "torch_geometric.nn", "polars", "scipy.sparse", "hypothesis", "PIL.Image", "pydantic",
    "safetensors.torch", "typer", "rich.console", "yaml", "pyarrow", "matplotlib", "sklearn", "pandas",
)  # fmt: skip
"""What tests import besides the program, and what takes long to import."""

THREADS = Path("/proc/self/task")

MEMORY = 12 << 30
"""Bytes of address space that tests may take."""


def warm_up() -> None:
    """Import what the forks share."""
    for name in WARM:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def copy_tree(root: Path, to: Path) -> None:
    """Copy the working tree: what git tracks, and what it does not ignore."""
    shutil.rmtree(to, ignore_errors=True)
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, check=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (root / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, to / name)


def in_fork(work: Callable[[], None], wall: float) -> int | None:
    """Run something in a fork that leads a process group; return its wait status, ``None`` if it took too long."""
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            work()
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(70)
        os._exit(0)
    status, ended = 0, False
    deadline = time.monotonic() + wall
    while not ended and time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        ended = pid != 0
        if not ended:
            time.sleep(0.01)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # the fork's own group, with what its tests have started
    if not ended:
        os.waitpid(child, 0)
    return status if ended else None


class Runner:
    """Runs collected tests, each time in a fork.

    Args:
        items: the collected tests.
        copy: the tree they are in.
        scratch: folder for what they write.
    """

    def __init__(self, items: Sequence[pytest.Item], copy: Path, scratch: Path) -> None:
        self.items = {item.nodeid: item for item in items}
        self.copy, self.events = copy, scratch / "events.jsonl"
        self.cov: coverage.Coverage | None = None
        self.tell: Callable[[dict[str, Any]], None] = lambda event: None
        self.failed = False

    def run(self, tests: Mapping[str, float], wall: float, changed: Path | None = None, trace: bool = False) -> Outcome:
        """Run tests until the first failure; with ``trace`` run all.

        Args:
            tests: what to run, in this order, and the seconds of processor time after which a test has hung.
            wall: seconds after which all is ended, whatever it does.
            changed: a file that has changed since it was imported; its functions are replaced.
            trace: note which functions each test enters.
        """
        self.events.unlink(missing_ok=True)
        items = [(self.items[name], seconds) for name, seconds in tests.items() if name in self.items]
        status = in_fork(lambda: self._work(items, changed, trace), wall)
        return outcome_of(self.events, status)

    def _work(self, items: list[tuple[pytest.Item, float]], changed: Path | None, trace: bool) -> None:
        with self.events.open("w") as stream:

            def tell(event: dict[str, Any]) -> None:
                stream.write(json.dumps(event) + "\n")
                stream.flush()

            self.tell = tell
            if changed is not None:
                replace_functions(changed)
            if trace:
                self.cov = coverage.Coverage(
                    data_file=None, config_file=False, source=[str(self.copy / "alignrec_geo")], messages=False
                )
                self.cov.start()
            following = [*(item for item, _ in items[1:]), None]
            for (item, seconds), next_item in zip(items, following, strict=False):
                signal.setitimer(signal.ITIMER_PROF, seconds)  # when it runs out, SIGPROF ends the fork
                if self.cov is not None:
                    self.cov.switch_context(item.nodeid)
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=next_item)
                if self.failed and not trace:
                    break
            if self.cov is not None:
                self.cov.stop()
                tell({"reached": _functions_by_test(self.cov, self.copy)})
            tell({"ended": True})

    def saw(self, report: pytest.TestReport) -> None:
        """Take note of what became of a test."""
        if report.failed:
            self.failed = True
            self.tell({"failed": report.nodeid})
        elif report.when == "call" and report.passed:
            self.tell({"passed": report.nodeid, "seconds": round(report.duration, 3)})


class _Session:
    """The plugin that hands collected tests to the work instead of running them."""

    def __init__(self, copy: Path, scratch: Path, work: Callable[[Runner], None]) -> None:
        self.copy, self.scratch, self.work = copy, scratch, work
        self.runner: Runner | None = None
        self.trouble: str | None = None

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.trouble = f"collection of {report.nodeid}"
        elif self.trouble is None and any(task.read_text() == "polars-0\n" for task in THREADS.glob("*/comm")):
            self.trouble = f"{report.nodeid} makes polars start its threads when it is imported, which no fork survives"

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        if self.trouble is not None:
            return None
        self.runner = Runner(session.items, self.copy, self.scratch)
        self.work(self.runner)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if self.runner is not None:
            self.runner.saw(report)


def with_tests(
    copy: Path,
    paths: Sequence[str],
    scratch: Path,
    work: Callable[[Runner], None],
    cpu: float | None = None,
    wall: float = 1e9,
) -> str | None:
    """Collect tests of a copy in a fork and hand them to ``work`` there; return why that was not possible.

    Args:
        copy: the copied tree.
        paths: test files, and modules with doctests.
        scratch: folder for what the tests write; emptied before.
        work: what to do with the tests, in the fork.
        cpu: seconds of processor time for the collection; ``None`` sets no limit.
        wall: seconds for all of it.
    """
    shutil.rmtree(scratch, ignore_errors=True)
    home = scratch / "home"
    home.mkdir(parents=True)
    answer = scratch / "trouble.txt"

    def collect() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if cpu is not None:
            resource.setrlimit(resource.RLIMIT_CPU, (int(cpu) + 1, int(cpu) + 5))
        with (scratch / "output.txt").open("w") as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.environ |= {"PYTHONPATH": str(copy), "HOME": str(home), "TMPDIR": str(home), "XDG_CACHE_HOME": str(home)}
        os.environ |= {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        sys.dont_write_bytecode = True
        os.chdir(copy)
        sys.path[:] = [str(copy), *(path for path in sys.path if not Path(path, "alignrec_geo").is_dir())]
        for name in [name for name in sys.modules if name == "tests" or name.startswith("tests.")]:
            del sys.modules[name]
        assert not any(name == "alignrec_geo" or name.startswith("alignrec_geo.") for name in sys.modules)
        sys.argv = ["pytest"]
        from hypothesis import Phase, settings

        settings.register_profile("mutation", phases=[Phase.explicit, Phase.generate], database=None, derandomize=True)
        settings.load_profile("mutation")
        plugin = _Session(copy, scratch, work)
        options = ["-q", "-p", "no:cacheprovider", f"--basetemp={scratch / 'tmp'}", f"--rootdir={copy}"]
        code = pytest.main([*options, *paths], plugins=[plugin])
        if plugin.runner is None:
            answer.write_text(plugin.trouble or f"pytest ended with {int(code)}")

    status = in_fork(collect, wall)
    if answer.exists():
        return answer.read_text()
    if status is None:
        return "collection took too long"
    return None if status == 0 else f"collection ended with status {status}"


def run_fresh(copy: Path, paths: Sequence[str], tests: Mapping[str, float], scratch: Path, wall: float) -> Outcome:
    """Run tests in a fork that has not imported the program yet, as changes outside of functions need it."""
    stored = scratch / "outcome.json"

    def work(runner: Runner) -> None:
        stored.write_text(json.dumps(asdict(runner.run(tests, wall))))

    trouble = with_tests(copy, paths, scratch, work, cpu=60, wall=wall + 60)
    return Outcome("failed", trouble) if trouble is not None else Outcome(**json.loads(stored.read_text()))


def replace_functions(path: Path) -> None:
    """Give the imported functions of a file the code that the file has now."""
    now: dict[str, list[CodeType]] = {}

    def collect(code: CodeType) -> None:
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                now.setdefault(constant.co_qualname, []).append(constant)
                collect(constant)

    collect(compile(path.read_bytes(), str(path), "exec", dont_inherit=True))
    found: dict[str, list[FunctionType]] = {}
    for function in [thing for thing in gc.get_objects() if isinstance(thing, FunctionType)]:
        if function.__code__.co_filename == str(path):
            found.setdefault(function.__code__.co_qualname, []).append(function)
    for name, functions in found.items():
        lines = sorted({function.__code__.co_firstlineno for function in functions})
        if len(lines) == len(now.get(name, [])):  # several of one name: in the file's order
            for function in functions:
                code = now[name][lines.index(function.__code__.co_firstlineno)]
                if code.co_freevars == function.__code__.co_freevars:
                    function.__code__ = code


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
