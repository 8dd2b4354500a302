"""Where the work of a request is done: at once if it is little, else in one of a few threads."""

from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

LITTLE = 1 << 22
"""Multiplications of one request that are done at once: some milliseconds, less than two changes of thread are worth
under load, and short enough for others to wait."""

Answer = TypeVar("Answer")


class Busy(Exception):
    """More requests wait than may."""


class Jobs:
    """Runs the work of requests; products and sorting let other threads run meanwhile.

    Args:
        threads: how many at a time.
        waiting: how many may wait.
    """

    def __init__(self, threads: int, waiting: int) -> None:
        self._limiter, self._waiting = CapacityLimiter(threads), waiting

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
        if self._limiter.statistics().tasks_waiting >= self._waiting:
            raise Busy
        return await to_thread.run_sync(call, limiter=self._limiter, abandon_on_cancel=True)
