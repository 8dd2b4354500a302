"""``train --ranks`` as people start it, and the processes that it consists of."""

import os
import subprocess
import sys
import time
from pathlib import Path

from alignrec_geo.comparison.process import python_path

TRAINS = "parameters on"
"""What is said when the ranks begin to train."""


class Started:
    """A command that trains on several ranks, with what it says in a file.

    Args:
        command: after ``python``.
        folder: where to run it.
    """

    def __init__(self, command: list[object], folder: Path) -> None:
        self.said = folder / "said.txt"
        with self.said.open("w") as stream:
            self.process = subprocess.Popen(
                [sys.executable, *map(str, command)],
                stdout=stream,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={**os.environ, "PYTHONPATH": python_path(), "OMP_NUM_THREADS": "1", "NO_COLOR": "1"},
            )

    def until(self, condition, seconds: float = 120) -> bool:
        """Wait for something while the command lives; whether it came."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            if condition():
                return True
            time.sleep(0.05)
        return False

    def until_it_trains(self) -> bool:
        return self.until(lambda: TRAINS in self.said.read_text())

    def until_epochs(self, run: Path, count: int) -> bool:
        log = run / "metrics.jsonl"
        return self.until(lambda: log.exists() and len(log.read_text().splitlines()) >= count)

    def ranks(self) -> list[int]:
        """The processes of the ranks, in the order in which they were started."""
        return sorted(
            int(path.parent.name)
            for path in Path("/proc").glob("[0-9]*/stat")
            if _parent(path) == self.process.pid and _alive(int(path.parent.name))
        )

    def end(self, seconds: float = 60) -> float:
        """Wait until the command has ended; how long that took."""
        began = time.monotonic()
        self.process.wait(seconds)
        return time.monotonic() - began

    def errors(self) -> list[str]:
        return [line for line in self.said.read_text().splitlines() if line.startswith(("error:", "stopped;"))]


def gone(processes: list[int], seconds: float = 30) -> bool:
    """Whether processes end in time."""
    end = time.monotonic() + seconds
    while any(_alive(pid) for pid in processes):
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def _parent(stat: Path) -> int:
    try:
        return int(stat.read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False
