"""Sections in processes of their own: one that fails, hangs or breaks the GPU's context does not lose the others.

All of them prepare their data on the CPU at once, then wait for their turn on the device. For a GPU every process is
started anew, since CUDA does not survive a fork; on a CPU it is forked, which spares it the imports.
"""

import multiprocessing
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

import torch

from gpu_sections.setting import Row, Section, Setting

THREADS = 4
"""Threads of each section on the CPU, so that those that prepare do not take the cores of the one that measures."""


@dataclass
class Outcome:
    """What came of a section.

    Args:
        rows: what it measured, also where it failed later.
        error: one line, where it failed.
        seconds: from its turn to its end.
    """

    rows: list[Row] = field(default_factory=list)
    error: str | None = None
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """The parts by name."""
        failed = {} if self.error is None else {"error": self.error}
        return {"seconds": self.seconds, "rows": self.rows, **failed}


class Isolated:
    """A section in a process of its own; starts to prepare at once.

    Args:
        name: of the section.
        section: what runs there.
        setting: what it is told.
    """

    def __init__(self, name: str, section: Section, setting: Setting) -> None:
        self.name, self.outcome = name, Outcome()
        context: Any = multiprocessing.get_context("spawn" if setting.on_gpu else "fork")
        ours, theirs = context.Pipe()
        self._ours: Connection = ours
        self._process = context.Process(target=_run, args=(section, setting, theirs), name=name, daemon=False)
        self._process.start()
        theirs.close()
        self._began = 0.0

    @property
    def connection(self) -> Connection:
        """Where its rows come from."""
        return self._ours

    def go(self) -> None:
        """Give it the device."""
        self._began = time.perf_counter()
        with suppress(OSError):  # it failed while it prepared, and says so in what can be read
            self._ours.send("go")

    def read(self) -> bool:
        """Take in one message; whether the section goes on."""
        try:
            kind, content = self._ours.recv()
        except (EOFError, OSError):
            self._process.join()
            self.outcome.error = self.outcome.error or f"the process ended with exit code {self._process.exitcode}"
            kind = "end"
        if kind == "row":
            self.outcome.rows.append(content)
            return True
        if kind == "error":
            self.outcome.error = content
        self.end()
        return False

    def end(self, error: str | None = None) -> None:
        """End the process, with the reason if it was not done."""
        if error is not None:
            self.outcome.error = error
            self._process.terminate()
        if self._began:
            self.outcome.seconds = time.perf_counter() - self._began
        self._process.join(5)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._ours.close()


def run_together(sections: Sequence[Isolated], limit: float, changed: Callable[[], None]) -> None:
    """Let sections have the device at the same time, until all are done or ``limit`` seconds are over.

    Args:
        sections: those whose turn it is.
        limit: seconds.
        changed: called after every row, to store what there is.
    """
    deadline = time.perf_counter() + limit
    for section in sections:
        section.go()
    going = {section.connection: section for section in sections}
    while going:
        ready = wait(list(going), timeout=max(0.0, deadline - time.perf_counter()))
        for connection in ready:
            assert isinstance(connection, Connection)
            if not going[connection].read():
                del going[connection]
            changed()
        if not ready:
            for section in going.values():
                section.end(f"cut off after {limit:.0f} s")
            going = {}
            changed()


def _run(section: Section, setting: Setting, connection: Connection) -> None:
    torch.set_num_threads(min(THREADS, torch.get_num_threads()))

    def turn() -> None:
        connection.recv()

    try:
        section(setting, turn, lambda row: connection.send(("row", row)))
    except (KeyboardInterrupt, EOFError, BrokenPipeError):  # the program that asked is gone
        return
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        line = str(error).strip().splitlines()[0] if str(error).strip() else ""
        connection.send(("error", f"{type(error).__name__}: {line} ({where.name}, line {where.lineno})"))
        return
    connection.send(("end", None))
