"""A slice of ``make fuzz``, and what the fuzzing itself must be able to notice."""

import resource
import time
from mmap import mmap
from pathlib import Path

import numpy as np
import pytest

from alignrec_geo.errors import InputError
from tests.fuzz.inputs import Odd, read_input, write_input
from tests.fuzz.mutate import make_input
from tests.fuzz.runner import kind_of, run
from tests.fuzz.target import Target, Wrong
from tests.fuzz.targets.all import TARGETS
from tests.fuzz.worker import Executor, random_of

SHARE = 0.01


@pytest.mark.slow
def test_no_fault_in_a_slice(tmp_path):
    quick = [target for target in TARGETS if target.quick]
    found = run(quick, {target.name: max(int(target.count * SHARE), 1) for target in quick}, tmp_path / "fuzz", jobs=1)
    assert {name: list(one.faults) for name, one in found.items() if one.faults} == {}
    for name, one in found.items():
        assert one.executions >= 20, name
        assert one.normal, f"{name}: nothing was read, so only the first check of the reader was tried"
        assert one.refused, f"{name}: nothing was refused, so nothing was broken"


def test_a_full_run_has_enough_executions():
    assert sum(target.count for target in TARGETS) >= 200_000
    assert len({target.name for target in TARGETS}) == len(TARGETS)


def test_inputs_are_equal_for_equal_seeds(tmp_path):
    for target in (target for target in TARGETS if target.name in ("table-csv", "matrix-npy", "unpack")):
        seeds = target.seeds(tmp_path)
        made = [make_input(seeds, random_of(0, target.name, 7)) for _ in range(2)]
        assert made[0] == made[1]
        assert made[0] != make_input(seeds, random_of(1, target.name, 7))


def test_files_and_what_is_none_are_written_and_read_back(tmp_path):
    files = {"a.txt": b"x", "b/c": b"", "d": Odd("folder"), "e": Odd("fifo"), "f": Odd("link", "nowhere")}
    write_input(files, tmp_path)
    assert read_input(tmp_path) == files


def _raises(error):
    def read(folder, out, rng):
        raise error

    return read


def _escapes(folder, out, rng):
    (folder.parents[1] / "escaped.txt").write_text("x")


def _grows(folder, out, rng):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    now = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    fresh = mmap(-1, max(peak - now, 0) + (500 << 20))  # more than this process ever had, none of it freed before
    np.frombuffer(fresh, dtype=np.int8)[:: resource.getpagesize()] = 1


def _waits(folder, out, rng):
    time.sleep(30)


@pytest.mark.parametrize(
    ("read", "kind"),
    [
        (lambda *_: None, None),
        (_raises(InputError("no")), "refused"),
        (_raises(KeyError("x")), "exception"),
        (_raises(Wrong("x")), "exception"),
        (_escapes, "outside"),
        (_grows, "memory"),
        (_waits, "hang"),
    ],
)
def test_what_an_execution_does_is_told_apart(tmp_path, monkeypatch, read, kind):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tests.fuzz.worker.PATIENCE", 0.2 if kind == "hang" else 60)
    said = Executor(tmp_path)(Target("x", 1, lambda _: [], read), {"a": b""}, random_of(0, "x", 0))
    assert (said and said[0]) == kind


def test_what_kills_the_process_or_is_printed_is_a_fault_of_its_input(tmp_path, monkeypatch):
    """In a process of its own; the executions before and after it are not lost."""
    monkeypatch.setenv("ALIGNREC_FUZZ_TARGETS", "tests.fuzz.faulty")
    monkeypatch.setenv("ALIGNREC_FUZZ_MARKS", str(tmp_path / "marks"))
    from tests.fuzz.faulty import TARGETS as faulty

    found = run(faulty, {target.name: 6 for target in faulty}, tmp_path / "fuzz", jobs=1)
    assert [found[name].executions for name in ("dies", "prints")] == [6, 6]
    assert [fault["kind"] for faults in found["dies"].faults.values() for fault in faults] == ["killed"]
    assert next(iter(found["dies"].faults.values()))[0]["what"].startswith("exit code -6")
    assert [kind_of(fault)[:7] for faults in found["prints"].faults.values() for fault in faults] == ["stderr:"] * 6
    assert (tmp_path / "fuzz" / "faults" / "prints-0" / "input" / "a.bin").exists()
