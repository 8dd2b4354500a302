"""SIGTERM and SIGHUP end a command as Ctrl-C does: what is under way is put in order first."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
PAUSE = 2.0
"""Seconds in which a second signal is ignored: who closes a terminal or a session often sends two at once."""


class Stopped(KeyboardInterrupt):
    """A signal asked the program to end.

    Args:
        number: the number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.number = number


@contextmanager
def stopping() -> Iterator[list[int]]:
    """Raise :class:`Stopped` in the block for every SIGTERM and SIGHUP; yields the numbers of those that came.

    A signal that the caller of this program ignores stays ignored (``nohup``), and one that has a handler keeps it.
    """
    received: list[int] = []
    last = float("-inf")

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal last
        again = time.monotonic() - last < PAUSE
        last = time.monotonic()
        received.append(number)
        if not again:
            raise Stopped(number)

    main = threading.current_thread() is threading.main_thread()
    ours = [number for number in SIGNALS if main and signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, stop)
    try:
        yield received
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
