"""Targets that do what a reader must not, to see that it is noticed."""

import os
import sys
from pathlib import Path
from random import Random

from tests.fuzz.inputs import Input
from tests.fuzz.target import Target


def _seeds(_: Path) -> list[Input]:
    return [{"a.bin": b"abc"}]


def _dies(folder: Path, out: Path, rng: Random) -> None:
    """At one of the six inputs."""
    marks = Path(os.environ["ALIGNREC_FUZZ_MARKS"])
    marks.write_text(marks.read_text() + "x" if marks.exists() else "x")
    if len(marks.read_text()) == 4:
        os.abort()


def _prints(folder: Path, out: Path, rng: Random) -> None:
    print("thread 'main' panicked", file=sys.stderr)


TARGETS = (Target("dies", 6, _seeds, _dies), Target("prints", 6, _seeds, _prints))
