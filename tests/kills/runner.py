"""Commands in processes that are killed at random moments, and what must be true then."""

import json
import multiprocessing
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from alignrec_geo.files import sha256_of

PRELOADED = (
    "alignrec_geo.cli.app",
    "alignrec_geo.cli.pretrain_task",
    "alignrec_geo.comparison.engine",
    "alignrec_geo.content.pretraining.align",
    "alignrec_geo.content.feature_sets.extract",
    "alignrec_geo.models",
    "alignrec_geo.training.loop",
    "transformers",
)
"""Loaded once: every process starts as a copy, so moments are drawn over the work and not over the imports."""
LEFT_BEHIND = (".part", ".old", ".tmp", ".next", ".lock")
TIMES = ("seconds", "seconds_per_epoch", "seconds_to_best", "peak_memory_mb", "machine", "command")

Line = tuple[object, ...]


def _main(line: list[str], folder: str) -> None:
    os.setsid()
    os.chdir(folder)
    os.environ["ALIGNREC_CACHE"] = f"{folder}/cache"
    said = os.open("said.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(said, 1)
    os.dup2(said, 2)
    sys.argv = ["alignrec-geo", *line]
    from alignrec_geo.cli.app import main

    main()


def start(line: Line, folder: Path) -> BaseProcess:
    """Start the program with these arguments in a process group of its own."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    process = context.Process(target=_main, args=([str(word) for word in line], str(folder)))
    process.start()
    return process


def complete(line: Line, folder: Path) -> float:
    """Run to the end; returns how long that took."""
    started = time.perf_counter()
    process = start(line, folder)
    process.join(300)
    assert process.exitcode == 0, (folder / "said.txt").read_text()[-2000:]
    return time.perf_counter() - started


def killed(line: Line, folder: Path, after: float) -> bool:
    """Run and kill the whole group; false if it ended before."""
    process = start(line, folder)
    process.join(after)
    early = process.exitcode is None
    if early:
        try:
            os.killpg(process.pid or 0, signal.SIGKILL)
        except ProcessLookupError:  # not yet a group of its own
            process.kill()
    process.join(60)
    return early


@dataclass
class Victim:
    """A command that is killed.

    Args:
        line: its arguments.
        again: those that go on after a kill.
        whole: asserts what is true at every moment, in a folder.
        result: what it made, without what depends on the time.
        before: puts back what was there, in a folder.
    """

    line: Line
    again: Line
    whole: Callable[[Path], None]
    result: Callable[[Path], Any]
    before: Callable[[Path], None] = lambda folder: None
    kills: int = field(default=0, init=False)

    def suffer(self, root: Path, kills: int, seed: int, in_a_row: int = 3) -> None:
        """Kill it so often, in rows; after each row it runs to the end and must have made what it makes undisturbed."""
        for name in ("warm", "calm"):  # the first also waits for what all processes start from
            (root / name).mkdir()
            self.before(root / name)
            lasts = complete(self.line, root / name)
        wanted = self.result(root / "calm")
        assert differences(wanted, self.result(root / "warm")) == []
        chance, row = random.Random(seed), 0
        while self.kills < kills:
            row += 1
            folder = root / f"row-{row}"
            folder.mkdir()
            self.before(folder)
            line = self.line
            for _ in range(min(in_a_row, kills - self.kills)):
                self.kills += killed(line, folder, chance.random() * lasts)
                self.whole(folder)
                line = self.again
            complete(self.again, folder)
            self.whole(folder)
            assert differences(wanted, self.result(folder)) == [], folder
            assert left_behind(folder) == [], folder
        print(f"{self.kills} kills of {self.line[0]} in {row} rows; undisturbed it takes {lasts:.1f} s")


def differences(wanted: Any, made: Any, place: str = "") -> list[str]:
    """Where two values differ."""
    if isinstance(wanted, dict) and isinstance(made, dict):
        keys = sorted({*wanted, *made})
        return [said for key in keys for said in differences(wanted.get(key), made.get(key), f"{place}/{key}")]
    if isinstance(wanted, list | tuple) and isinstance(made, list | tuple) and len(wanted) == len(made):
        pairs = enumerate(zip(wanted, made, strict=True))
        return [said for n, pair in pairs for said in differences(*pair, f"{place}[{n}]")]
    return [] if wanted == made else [f"{place}: {wanted!s:.80} and {made!s:.80}"]


def left_behind(folder: Path) -> list[str]:
    """What nobody needs any more."""
    found = [path for path in folder.rglob("*") if path.name.endswith(LEFT_BEHIND)]
    return [str(path.relative_to(folder)) for path in found if path.parent.name != "locks"]  # a comparison's stay


def hashes(folder: Path, *besides: str) -> dict[str, str]:
    """SHA-256 of every file, without those called as named."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in besides)
    return {str(path.relative_to(folder)): sha256_of(path) for path in files}


def without_times(value: Any) -> Any:
    """A JSON value without what depends on when and where it was made."""
    if isinstance(value, dict):
        return {key: without_times(inner) for key, inner in value.items() if key not in TIMES}
    return [without_times(inner) for inner in value] if isinstance(value, list) else value


def records(file: Path) -> list[Any]:
    """Lines of a ``metrics.jsonl``."""
    return [without_times(json.loads(line)) for line in file.read_text().splitlines()]


def existing(*paths: Path) -> Iterator[Path]:
    """Those that are there."""
    yield from (path for path in paths if path.exists())
