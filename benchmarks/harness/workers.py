"""Processes that take turns: each holds one contestant, in its own interpreter and memory, and runs it when told.

Standard library only: the peers' environment imports it too.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

BENCHMARKS = Path(__file__).parents[1]
"""The folder of the benchmarks; ``python BENCHMARKS NAME`` runs one."""


class Worker:
    """A process that runs one contestant per call and measures it.

    Args:
        command: must end in :func:`serve`.
        env: its environment; by default this process's.
        stderr: an open file for what it says; by default this process's standard error.
        cwd: its working folder; by default this process's.

    Attributes:
        about: what the contestant said of itself when it was ready.
        answers: what it answered so far, one dictionary per call with ``seconds`` and ``peak_memory_gb``.

    Raises:
        RuntimeError: the process ended before it was ready.
    """

    def __init__(
        self,
        command: Sequence[str],
        env: Mapping[str, str] | None = None,
        stderr: IO[str] | None = None,
        cwd: str | None = None,
    ) -> None:
        self.command = list(command)
        self.answers: list[dict[str, Any]] = []
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=stderr, text=True, env=env, cwd=cwd)
        self.about = self._answer()

    def run(self) -> float:
        """Run the contestant once and return the seconds it measured."""
        assert self.process.stdin is not None
        self.process.stdin.write("run\n")
        self.process.stdin.flush()
        self.answers.append(self._answer())
        return float(self.answers[-1]["seconds"])

    def close(self) -> None:
        """End the process."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.close()
            raise RuntimeError(f"exit code {self.process.returncode}: {' '.join(self.command)}")
        return dict(json.loads(line))


def serve(make: Callable[[], Callable[[], "float | dict[str, Any]"]], about: Mapping[str, Any] | None = None) -> None:
    """Set a contestant up, then run it once per line of standard input and answer on standard output.

    Args:
        make: sets up and returns the call to measure; the call returns its seconds, or a dictionary that has them.
        about: said when the contestant is ready.
    """
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not get between the answers
    run = make()
    _write(channel, dict(about or {}))
    for _ in sys.stdin:
        measured = run()
        answer = measured if isinstance(measured, dict) else {"seconds": measured}
        _write(channel, {**answer, "peak_memory_gb": round(memory("VmHWM") / 1e9, 3)})


def memory(key: str) -> int:
    """Bytes of a line of ``/proc/self/status``: ``VmRSS`` now, ``VmHWM`` at most so far.

    ``ru_maxrss`` would also count what the parent process held when it started this one.
    """
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:"))


def _write(channel: Any, answer: Mapping[str, Any]) -> None:
    channel.write(json.dumps(answer) + "\n")
    channel.flush()
