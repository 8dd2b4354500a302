"""Who works on what: locks that the kernel releases when their owner dies."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from alignrec_geo.errors import InputError

LOCK = ".lock"
"""Name of the lock file in a folder that one process at a time may write."""

_NO_LOCKS = (errno.EBADF, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
"""What ``flock`` says on a file system that has no such locks; then nobody is kept out."""


class Lock:
    """An exclusive lock on a file or folder (``flock``).

    A child process that inherits :attr:`descriptor` owns the lock too: it stays taken until both have ended.

    Args:
        descriptor: the open file that holds the lock.
        path: the file.
        sure: whether the file system has locks at all.
    """

    def __init__(self, descriptor: int, path: Path, sure: bool = True) -> None:
        self.descriptor, self.path, self.sure = descriptor, path, sure

    @classmethod
    def attempt(cls, path: Path, create: bool = True) -> Self | None:
        """Take the lock; ``None`` if another has it.

        Args:
            path: the lock file; a link is never followed.
            create: make it and its folder if they are missing; without, ``path`` may be a folder, too.
        """
        return cls._taken(path, fcntl.LOCK_EX | fcntl.LOCK_NB, create)

    @classmethod
    def wait(cls, path: Path) -> Self:
        """Take the lock once nobody else has it."""
        lock = cls._taken(path, fcntl.LOCK_EX, create=True)
        assert lock is not None
        return lock

    @classmethod
    def _taken(cls, path: Path, how: int, create: bool) -> Self | None:
        if create:
            path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT if create else os.O_RDONLY | os.O_NONBLOCK
        while True:
            descriptor = os.open(path, flags | os.O_NOFOLLOW, 0o666)
            try:
                sure = _flock(descriptor, how)
                if _is_at(descriptor, path):
                    return cls(descriptor, path, sure)
            except BlockingIOError:
                os.close(descriptor)
                return None
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)  # its owner removed or moved it meanwhile

    def release(self, remove: bool = False) -> None:
        """Give the lock back, as far as this process is concerned.

        Args:
            remove: delete the lock file, if it still is the one that :attr:`path` names.
        """
        if remove and _is_at(self.descriptor, self.path):
            self.path.unlink(missing_ok=True)
        os.close(self.descriptor)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock during a block, waiting for it if another has it; the lock file goes with it."""
    lock = Lock.wait(path)
    try:
        yield
    finally:
        lock.release(remove=True)


@contextmanager
def sole(path: Path, otherwise: str) -> Iterator[Lock]:
    """Hold a lock during a block; the lock file goes with it.

    Args:
        path: the lock file.
        otherwise: what to say if another process has it.

    Raises:
        InputError: another has it.
    """
    lock = Lock.attempt(path)
    if lock is None:
        raise InputError(otherwise)
    try:
        yield lock
    finally:
        lock.release(remove=True)


def in_use(path: Path) -> bool:
    """Whether another has the lock now; no lock file is made."""
    try:
        lock = Lock.attempt(path, create=False)
    except OSError:
        return False
    if lock is not None:
        lock.release()
    return lock is None


def _flock(descriptor: int, how: int) -> bool:
    """Lock; false where the file system has no locks."""
    try:
        fcntl.flock(descriptor, how)
    except BlockingIOError:
        raise
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return False
        raise
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False
