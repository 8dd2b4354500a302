"""One process that executes inputs: under limits, in a folder of its own, with its standard error watched."""

import contextlib
import json
import mmap
import os
import re
import resource
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

from alignrec_geo.deferred_imports import defer_imports
from alignrec_geo.errors import InputError
from tests.fuzz.inputs import Input, read_input, write_input
from tests.fuzz.mutate import make_input
from tests.fuzz.mutators.archives import ESCAPE
from tests.fuzz.target import Target

MEMORY = 2 << 30
"""Bytes of address space that an execution may take."""
LARGEST = 256 << 20
"""Bytes that a file may grow to; what writes without end is stopped there."""
GROWTH = 400 << 10
"""KiB that the process may grow by in one execution; the inputs have some KB."""
PATIENCE = 10
"""Seconds until an execution hangs."""
VARIABLE = "ALIGNREC_FUZZ_TARGETS"
"""Names the module of the targets, if they are others."""
PROGRESS = struct.Struct("<qd")
"""Number and start of the execution under way, for the process that watches."""


class Hangs(BaseException):
    """Raised by the alarm."""


@dataclass
class Tally:
    """What came of a range of executions; ``seconds`` of the processor."""

    done: int = 0
    normal: int = 0
    seconds: float = 0.0
    refused: Counter[str] = field(default_factory=Counter)
    faults: list[dict[str, Any]] = field(default_factory=list)


def random_of(seed: int, target: str, number: int) -> Random:
    """The generator of one execution: equal for equal arguments, in every process."""
    return Random(f"{seed}/{target}/{number}")


def load_seeds(folder: Path) -> list[Input]:
    """Read what :func:`store_seeds` wrote."""
    return [read_input(one) for one in sorted(folder.iterdir(), key=lambda one: int(one.name))]


def store_seeds(target: Target, folder: Path) -> None:
    """Make the seeds of a target and write them, one folder each."""
    with tempfile.TemporaryDirectory() as scratch:
        for number, files in enumerate(target.seeds(Path(scratch))):
            write_input(files, folder / str(number))


class Executor:
    """Executes inputs in a scratch folder.

    Args:
        scratch: an empty folder, in memory if possible.
        errors: the file that standard error goes to, if it is watched.
    """

    def __init__(self, scratch: Path, errors: Path | None = None) -> None:
        self._box, self._errors = scratch / "box", errors
        (scratch / "outside").mkdir()
        (scratch / "outside.txt").write_text("outside")
        self._outside = scratch

    def __call__(self, target: Target, files: Input, rng: Random) -> tuple[str, str] | None:
        """Execute one input.

        Returns:
            ``None`` for a normal result; otherwise ``refused`` and the message, or the kind of fault and what tells
            it from others.
        """
        shutil.rmtree(self._box, ignore_errors=True)
        for name in ("in", "out", "cwd"):
            (self._box / name).mkdir(parents=True)
        write_input(files, self._box / "in")
        os.chdir(self._box / "cwd")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        said = self._caught(target, rng)
        if self._errors is not None:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            if os.fstat(2).st_size:
                text = self._errors.read_bytes()[:4000].decode(errors="replace")
                os.ftruncate(2, 0)
                heard = [line for line in text.splitlines() if line.strip() and not re.match(target.noise, line)]
                said = ("stderr", "\n".join(heard)) if heard else said
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        if grown > GROWTH:
            said = ("memory", f"took {grown >> 10} MB")
        escaped = self._escaped()
        return ("outside", escaped) if escaped else said

    def _caught(self, target: Target, rng: Random) -> tuple[str, str] | None:
        try:
            with _alarm():
                target.read(self._box / "in", self._box / "out", rng)
        except InputError as error:
            return ("refused", str(error).replace(str(self._box), ""))
        except Hangs as error:
            return ("hang", _place(error))
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            return ("exception", f"{type(error).__name__}: {str(error)[:300]} at {_place(error)}")
        return None

    def _escaped(self) -> str:
        """What was written outside the folders of the input."""
        found = [f"cwd/{name}" for name in os.listdir(self._box / "cwd")]
        found += [name for name in os.listdir(self._box) if name not in ("in", "out", "cwd")]
        found += [name for name in os.listdir(self._outside) if name not in ("box", "outside", "outside.txt")]
        found += [f"outside/{name}" for name in os.listdir(self._outside / "outside")]
        if os.path.lexists(ESCAPE):
            found.append(ESCAPE)
            shutil.rmtree(ESCAPE, ignore_errors=True)
            Path(ESCAPE).unlink(missing_ok=True)
        if (self._outside / "outside.txt").read_text() != "outside":
            found.append("outside.txt")
        return ", ".join(found)


def execute(
    target: Target, seeds: list[Input], executor: Executor, seed: int, numbers: range, progress: Any = None
) -> Tally:
    """Execute the inputs of some numbers."""
    tally, began = Tally(), time.process_time()
    for number in numbers:
        if progress is not None:
            PROGRESS.pack_into(progress, 0, number, time.time())
        rng = random_of(seed, target.name, number)
        files = target.repair(make_input(seeds, rng))
        started = time.perf_counter()
        said = executor(target, files, rng)
        tally.done += 1
        if said is None:
            tally.normal += 1
        elif said[0] == "refused":
            tally.refused[said[1]] += 1
        else:
            tally.faults.append(
                {
                    "target": target.name,
                    "number": number,
                    "kind": said[0],
                    "what": said[1],
                    "seconds": time.perf_counter() - started,
                }
            )
    tally.seconds = time.process_time() - began
    return tally


@contextlib.contextmanager
def _alarm() -> Iterator[None]:
    def ring(*_: object) -> None:
        raise Hangs

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _place(error: BaseException) -> str:
    """The innermost line of the program that the error went through, and where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/alignrec_geo/" in frame.filename] or frames[-1:]
    told = [f"{frame.filename.rpartition('/alignrec_geo/')[2]}:{frame.lineno} {frame.name}" for frame in ours[-1:]]
    return f"{told[0]} (raised in {Path(frames[-1].filename).name}:{frames[-1].lineno})" if told else "nowhere"


def main() -> None:
    """``python -m tests.fuzz.worker FOLDER NAME SEED``: read ``TARGET START STOP`` lines, write a tally for each."""
    known = {
        target.name: target for target in import_module(os.environ.get(VARIABLE, "tests.fuzz.targets.all")).TARGETS
    }
    folder, name, seed = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    answers = os.fdopen(os.dup(1), "w")
    errors = folder / f"{name}.stderr"
    handle = os.open(errors, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    warnings.simplefilter("always")
    warnings.simplefilter("ignore", DeprecationWarning)  # as Python does: these are for developers
    with (folder / f"{name}.progress").open("r+b") as stream:
        progress = mmap.mmap(stream.fileno(), PROGRESS.size)
    memory = Path("/dev/shm")
    scratch = Path(tempfile.mkdtemp(prefix="alignrec-fuzz-", dir=memory if memory.is_dir() else None))
    os.environ.update(ALIGNREC_CACHE=str(scratch / "box" / "out" / "cache"), HOME=str(scratch / "box" / "out"))
    executor = Executor(scratch, errors)
    seeds: dict[str, list[Input]] = {}
    try:
        for line in sys.stdin:
            what, start, stop = line.split()
            target = known[what]
            if what not in seeds:
                seeds[what] = load_seeds(folder / "seeds" / what)
                _warm(target, seeds[what], executor)
            numbers = range(int(start), int(stop))
            tally = execute(target, seeds[what], executor, seed, numbers, progress)
            print(json.dumps(vars(tally)), file=answers, flush=True)
    finally:
        os.chdir("/")
        shutil.rmtree(scratch, ignore_errors=True)


def _warm(target: Target, seeds: list[Input], executor: Executor) -> None:
    """Execute the seeds as they are, which imports what is needed, then limit the memory from there."""
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    for number, files in enumerate(seeds):
        said = executor(target, target.repair(dict(files)), Random(number))
        if said is not None and said[0] not in ("refused", "memory", "stderr"):
            raise SystemExit(f"{target.name}: seed {number} is no valid input: {said}")
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST, resource.RLIM_INFINITY))
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, resource.RLIM_INFINITY))


if __name__ == "__main__":
    defer_imports()
    main()
