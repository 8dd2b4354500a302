"""Names beside a target under which it is prepared or retired, and the sweep of those whose owner was killed."""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from alignrec_geo.locks import Lock

PART, OLD = ".part", ".old"
"""Endings of what is being prepared, and of a folder that is being replaced."""
_LONGEST = 200
_ANY = re.compile(r"\..+\.[a-z0-9_]{8}\.(part|old)", re.DOTALL)


@contextmanager
def staged_file(path: Path) -> Iterator[Path]:
    """Yield an empty file beside ``path``; what is still there at the end of the block is deleted."""
    with _staged(lambda: _new_file(path)) as staging:
        yield staging


@contextmanager
def staged_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``path``; what is still there at the end of the block is deleted."""
    with _staged(lambda: _new_folder(path, PART)) as staging:
        yield staging


def retired_name(path: Path) -> Path:
    """An empty folder beside ``path`` that ``path`` can be renamed to."""
    return _new_folder(path, OLD)


def is_leftover(name: str) -> bool:
    """Whether a file or folder is called like what is prepared or retired here.

    Example:
        >>> is_leftover(".shop.k3_9xa0b.part"), is_leftover("shop.part")
        (True, False)
    """
    return _ANY.fullmatch(name) is not None


def recover(path: Path) -> None:
    """Give a folder its name back that was being replaced when its process was killed, if ``path`` is missing."""
    if os.path.lexists(path):
        return
    for leftover in _leftovers(path):
        if leftover.name.endswith(OLD) and leftover.is_dir() and any(leftover.iterdir()):
            with _dead(leftover) as dead:
                if dead:
                    os.rename(leftover, path)
                    return


def sweep(path: Path) -> bool:
    """Delete what killed processes left beside ``path``; what belongs to a living one stays.

    Returns:
        Whether a living process is preparing ``path`` now.
    """
    recover(path)
    living = [leftover for leftover in _leftovers(path) if not _discard(leftover)]
    return bool(living)


def sweep_inside(folder: Path) -> None:
    """Delete what killed processes left anywhere in a folder of this program; links are not followed."""
    for root, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            if is_leftover(name):
                _discard(Path(root) / name)
        folders[:] = [name for name in folders if not is_leftover(name)]


def remove_folder(path: Path) -> None:
    """Delete a folder; at no moment is there half of it under its name."""
    doomed = _new_folder(path, PART)
    os.rename(path, doomed)
    delete(doomed)


def delete(path: Path) -> None:
    """Delete a file or a folder, as far as that is possible."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def umask() -> int:
    """Permissions that new files do not get."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def _staged(make: Callable[[], Path]) -> Iterator[Path]:
    staging, lock = _owned(make)
    try:
        yield staging
    finally:
        delete(staging)
        if lock is not None:
            lock.release()


def _owned(make: Callable[[], Path]) -> tuple[Path, Lock | None]:
    """Make a name and lock it, which tells sweeps of other processes that its owner lives."""
    while True:
        path = make()
        try:
            lock = Lock.attempt(path, create=False)
        except FileNotFoundError:
            continue  # swept before it was locked
        except OSError:
            return path, None
        if lock is not None:
            return path, lock


def _new_file(path: Path) -> Path:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{_stem(path)}.", suffix=PART)
    os.close(handle)
    return Path(name)


def _new_folder(path: Path, suffix: str) -> Path:
    folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{_stem(path)}.", suffix=suffix))
    os.chmod(folder, 0o777 & ~umask())
    return folder


def _stem(path: Path) -> str:
    name = path.name
    if len(os.fsencode(name)) <= _LONGEST:
        return name
    return f"{name[:40]}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}"


def _leftovers(path: Path) -> list[Path]:
    pattern = re.compile(rf"\.{re.escape(_stem(path))}\.[a-z0-9_]{{8}}\.(part|old)")
    try:
        with os.scandir(path.parent) as entries:
            return [path.parent / entry.name for entry in entries if pattern.fullmatch(entry.name)]
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []


def _discard(leftover: Path) -> bool:
    """Delete it if its owner is dead; false if the owner lives."""
    with _dead(leftover) as dead:
        if dead:
            delete(leftover)
    return dead is not False


@contextmanager
def _dead(leftover: Path) -> Iterator[bool | None]:
    """Whether the owner is dead; ``None`` where nobody can tell: a link, gone meanwhile, no locks here."""
    try:
        lock = Lock.attempt(leftover, create=False)
    except OSError:
        yield None
        return
    if lock is None:
        yield False
        return
    try:
        yield True if lock.sure else None
    finally:
        lock.release()
