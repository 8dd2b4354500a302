"""The mutation sample itself: what is changed, what is left alone, what is drawn, and that a fork tells the truth."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation.__main__ import read_records
from tests.mutation.functions import functions_at
from tests.mutation.mutants import find_changes
from tests.mutation.sample import draw, find_again

ROOT = Path(__file__).resolve().parents[2]


def changes(text: str) -> set[tuple[str, str]]:
    return {(change.before, change.after) for change in find_changes(text.encode()) if not change.wide}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("x = a + b * c", {("+", "-"), ("*", "/")}),
        ("x = a < b and not c", {("<", "<="), ("and", "or"), ("not", "")}),
        ("x = a is not b", {("is not", "is")}),
        ("x = a not in b", {("not in", "in")}),
        ("x = -3", {("-", ""), ("3", "4"), ("3", "2")}),
        ("x = 0.5", {("0.5", "1.0")}),
        ("x = True", {("True", "False")}),
        ("x = min(a)", {("min", "max")}),
        ("x = a.argmax(dim=b)", {("argmax", "argmin")}),
        ("x -= a", {("-=", "+=")}),
        ("x = a if b else c", {("b", "not b")}),
        ("x = 'é' if (a) >= b else c", {(">=", ">")}),  # bytes are not characters
        ("for x in y:\n    break", {("break", "continue")}),
    ],
)
def test_what_is_changed(line, expected):
    assert changes(line) == expected


@pytest.mark.parametrize(
    "line",
    [
        '"""One + one."""',
        "x: Annotated[int, 3]",
        "def f(a: Literal[3]) -> Literal[4]: ...",
        "raise ValueError('a' + str(3))",
        "assert a == 3",
        "warnings.warn(str(3), stacklevel=2)",
        "x = f'{a + 3}'",
        "zip(a, b, strict=True)",
        "@dataclass(frozen=True)\nclass A:\n    x: int",
        "def __repr__(self):\n    return str(1 + 2)",
        "X = str | None",
    ],
)
def test_what_is_left_alone(line):
    assert changes(line) == set()


def test_a_change_is_where_it_says():
    source = "class A:\n    def f(self):\n        return 'ü', 1 + 2\n".encode()
    (plus,) = (change for change in find_changes(source) if change.before == "+")
    assert plus.apply(source) == source.replace(b"+", b"-")
    assert (plus.line, plus.function) == (3, "A.f")
    swapped = {c.after for c in find_changes(b"f(a, b + c)") if c.wide}
    assert swapped == {"b + c, a"}
    assert functions_at(source) == {3: "A.f"}


@pytest.fixture
def project(tmp_path):
    """A project whose tests notice some changes and not others."""
    copy = tmp_path / "copy"
    (copy / "alignrec_geo" / "nn").mkdir(parents=True)
    (copy / "tests" / "nn").mkdir(parents=True)
    (copy / "alignrec_geo" / "nn" / "size.py").write_text(
        "FIVE = 5\n\n\ndef twice(a):\n    return a + a\n\n\ndef half(a):\n    unused = a + 1\n    return a\n"
    )
    (copy / "alignrec_geo" / "__init__.py").touch()
    (copy / "tests" / "nn" / "test_size.py").write_text(
        "from alignrec_geo.nn import size\n\n\n"
        "def test_half():\n    size.half(1)\n\n\n"
        "def test_twice():\n    assert size.twice(2) == 4\n\n\n"
        "def test_five():\n    assert size.half(size.FIVE) == 5\n"
    )
    return tmp_path


def test_the_sample_is_drawn_by_its_seed_and_found_again_in_moved_code(project):
    first, second = (draw(project / "copy", 4, seed=0, parts=("nn",)) for _ in range(2))
    assert first == second
    assert len({mutant.change.line for mutant in first}) == len(first)
    path = project / "copy" / "alignrec_geo" / "nn" / "size.py"
    path.write_text("# moved\n" + path.read_text().replace("unused = a + 1", "unused = 1"))
    again = find_again(project / "copy", [mutant.record() for mutant in first])
    assert {number: mutant.change.line for number, mutant in again.items()} == {
        mutant.number: mutant.change.line + 1 for mutant in first if "unused" not in mutant.text
    }


@pytest.mark.slow
def test_what_a_test_notices_and_what_none_does(project):
    program = f"""
import json, sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from tests.mutation import forked
forked.WARM = ()
from tests.mutation.__main__ import Trial
from tests.mutation.mutants import find_changes
from tests.mutation.sample import make
out = Path({str(project)!r})
path = out / "copy/alignrec_geo/nn/size.py"
changes = [change for change in find_changes(path.read_bytes()) if change.before in ("+", "5")]
trial = Trial(out)
trial.run("own", [make(number, out / "copy", path, change) for number, change in enumerate(changes)], ["nn"])
"""
    before = (project / "copy" / "alignrec_geo" / "nn" / "size.py").read_text()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=project, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    records = read_records(project / "mutants.jsonl")
    got = {(row["text"], row["after"]): (row["status"], row["test"], row["tests"]) for row in records.values()}
    assert got == {
        ("return a + a", "-"): ("noticed", "tests/nn/test_size.py::test_twice", 3),
        ("unused = a + 1", "-"): ("survived", None, 3),
        ("FIVE = 5", "6"): ("noticed", "tests/nn/test_size.py::test_five", 3),
        ("FIVE = 5", "4"): ("noticed", "tests/nn/test_size.py::test_five", 3),
    }
    assert (project / "copy" / "alignrec_geo" / "nn" / "size.py").read_text() == before
