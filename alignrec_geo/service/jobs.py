"""Where the work of a request is done: at once if it is little, else in one of a few threads."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

LITTLE = 1 << 24
"""Multiplications of one request that are done at once: some milliseconds, for which others can wait."""

Answer = TypeVar("Answer")


class Busy(Exception):
    """More requests wait than may."""


class Jobs:
    """Runs the work of requests; products and sorting let other threads run meanwhile.

    A thread is taken until its work has ended, also if nobody waits for the answer any longer: so work that is given up
    cannot pile up.

    Args:
        threads: how many at a time.
        waiting: how many may wait.
    """

    def __init__(self, threads: int, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="request")
        self._most, self._taken, self._lock = threads + waiting, 0, threading.Lock()

    async def run(self, call: Callable[[], Answer], cost: float = float("inf")) -> Answer:
        """Return what ``call`` returns.

        Args:
            call: the work.
            cost: multiplications; up to :data:`LITTLE` it is done in the thread of the event loop.

        Raises:
            Busy: as many wait as may.
        """
        if cost <= LITTLE:
            return call()
        with self._lock:
            if self._taken >= self._most:
                raise Busy
            self._taken += 1
        work = self._pool.submit(call)
        work.add_done_callback(self._done)
        return await asyncio.wrap_future(work)  # who is cancelled before it began leaves the queue

    def _done(self, work: Future[Any]) -> None:
        with self._lock:
            self._taken -= 1
