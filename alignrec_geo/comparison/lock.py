"""Who works on what: locks that the kernel releases when their owner dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self


class Lock:
    """An exclusive lock on a file (``flock``).

    A child process that inherits :attr:`descriptor` owns the lock too: it stays taken until both have ended.

    Args:
        descriptor: the open file that holds the lock.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    @classmethod
    def attempt(cls, path: Path) -> Self | None:
        """Take the lock; ``None`` if another has it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return cls(descriptor)

    def release(self) -> None:
        """Give the lock back, as far as this process is concerned."""
        os.close(self.descriptor)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock during a block; wait for it if another has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
