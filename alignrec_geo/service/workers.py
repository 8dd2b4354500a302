"""Several workers behind one socket: started, told to reload, started again if they die, and ended together."""

import multiprocessing
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any

from alignrec_geo.deferred_imports import defer_imports
from alignrec_geo.errors import InputError
from alignrec_geo.service.settings import ServiceSettings

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""See :mod:`alignrec_geo.service.measures`, which cannot be imported before this is set."""
READY = ""
PAUSE = 0.2
"""Seconds between looks at the workers."""
SHORT_LIFE = 5.0
"""Seconds before the end of which a worker that was started again may not die, or all is given up."""


def serve_with_workers(
    settings: ServiceSettings, listening: socket.socket, ready: Callable[[], None], workers: int
) -> None:
    """Start workers and watch over them until SIGTERM or SIGINT. SIGHUP makes every worker reload.

    Args:
        settings: the run and the limits.
        listening: a bound socket, which all of them share.
        ready: called once all have opened the run.
        workers: how many.

    Raises:
        InputError: a worker could not open the run, or cannot be kept alive.
    """
    folder = tempfile.mkdtemp(prefix="alignrec-geo-metrics-")
    os.environ[FOLDER] = folder
    try:
        _Watch(settings, listening, workers, folder).run(ready)
    finally:
        del os.environ[FOLDER]
        shutil.rmtree(folder, ignore_errors=True)


class _Watch:
    def __init__(self, settings: ServiceSettings, listening: socket.socket, workers: int, folder: str) -> None:
        self._begin = partial(self._start, settings, listening, workers)
        self._count, self._folder = workers, folder
        self._alive: dict[BaseProcess, float] = {}
        self._ended, self._reload = threading.Event(), threading.Event()
        self._patience = settings.timeout + 5

    def run(self, ready: Callable[[], None]) -> None:
        before = {number: signal.signal(number, self._heard) for number in (signal.SIGINT, signal.SIGTERM)}
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._heard)
        try:
            pipes = [self._begin() for _ in range(self._count)]
            self._await(pipes)
            if not self._ended.is_set():
                ready()
            while not self._ended.wait(PAUSE):
                if self._reload.is_set():
                    self._reload.clear()
                    self._tell(signal.SIGHUP)
                self._replace_dead()
        finally:
            self._end()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        (self._reload if number == signal.SIGHUP else self._ended).set()

    def _start(self, settings: ServiceSettings, listening: socket.socket, workers: int) -> Connection:
        spawn = multiprocessing.get_context("spawn")  # threads of torch and polars do not survive a fork
        ours, theirs = spawn.Pipe(duplex=False)
        worker = spawn.Process(target=_work, args=(settings, listening, workers, os.getpid(), theirs))
        worker.start()
        theirs.close()
        self._alive[worker] = time.monotonic()
        return ours

    def _await(self, pipes: list[Connection]) -> None:
        """Wait until every worker has opened the run."""
        left: list[Any] = list(pipes)
        while left and not self._ended.is_set():
            for pipe in wait(left, PAUSE):
                assert isinstance(pipe, Connection)
                try:
                    said = pipe.recv()
                except EOFError:
                    said = "a worker ended before it had opened the run; its log above says why"
                if said != READY:
                    raise InputError(said)
                left.remove(pipe)
                pipe.close()

    def _replace_dead(self) -> None:
        from prometheus_client.multiprocess import mark_process_dead

        for worker, since in [(worker, since) for worker, since in self._alive.items() if not worker.is_alive()]:
            del self._alive[worker]
            mark_process_dead(worker.pid, self._folder)  # type: ignore[no-untyped-call]
            if time.monotonic() - since < SHORT_LIFE:
                raise InputError(f"a worker ended at once (exit code {worker.exitcode}); its log above says why")
            self._begin().close()

    def _tell(self, number: int) -> None:
        for worker in self._alive:
            if worker.is_alive() and worker.pid is not None:
                os.kill(worker.pid, number)

    def _end(self) -> None:
        self._tell(signal.SIGTERM)
        until = time.monotonic() + self._patience
        for worker in self._alive:
            worker.join(max(0.1, until - time.monotonic()))
            if worker.is_alive():
                worker.kill()
                worker.join()


def _work(settings: ServiceSettings, listening: socket.socket, workers: int, parent: int, pipe: Connection) -> None:
    """The life of one worker; what keeps it from opening the run goes to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent passes it on as SIGTERM
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is a run that could be opened again
    defer_imports()
    from alignrec_geo.service.process import serve_here

    threading.Thread(target=_end_without, args=(parent,), daemon=True).start()

    def ready() -> None:
        pipe.send(READY)
        pipe.close()

    try:
        serve_here(settings, listening, ready, workers, partial(os.kill, parent, signal.SIGHUP))
    except InputError as error:
        if not pipe.closed:
            pipe.send(str(error))


def _end_without(parent: int) -> None:
    """End when the parent has died without a word."""
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)
