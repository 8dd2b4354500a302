"""The memory of a process and of all that it started, watched from outside."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from subprocess import Popen
from typing import Any

import psutil

INTERVAL = 0.1
"""Seconds between two looks."""


@dataclass
class Watched:
    """What was seen of a process.

    Args:
        seconds: wall time.
        cpu_seconds: of the process and what it had started, as far as they were seen.
        peak_gb: resident memory at most, of all together.
        code: its exit code.
        disk_gb: bytes on disk at most, where a folder was watched.
    """

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_gb: float = 0.0
    code: int | None = None
    disk_gb: float = 0.0
    _seen: dict[int, float] = field(default_factory=dict)

    def look(self, process: Popen[Any]) -> None:
        """Add what is now."""
        try:
            root = psutil.Process(process.pid)
            tree = [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        total = 0
        for one in tree:
            try:
                with one.oneshot():
                    total += one.memory_info().rss
                    times = one.cpu_times()
            except psutil.Error:
                continue
            self._seen[one.pid] = times.user + times.system
        self.peak_gb = max(self.peak_gb, total / 1e9)
        self.cpu_seconds = sum(self._seen.values())


def watch(command: Sequence[str], until: float | None = None, **options: Any) -> Watched:
    """Run a command and watch it.

    Args:
        command: its words.
        until: seconds after which it is killed; ``None`` for its end.
        options: of :class:`subprocess.Popen`.
    """
    found, started = Watched(), time.perf_counter()
    with Popen(command, **options) as process:
        while process.poll() is None:
            found.look(process)
            if until is not None and time.perf_counter() - started >= until:
                process.kill()
                break
            time.sleep(INTERVAL)
        found.code = process.wait()
    found.seconds = time.perf_counter() - started
    return found
