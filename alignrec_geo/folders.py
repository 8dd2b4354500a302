"""Folders that this program makes: written whole or not at all, and replaced only if they are its own."""

import errno
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from alignrec_geo.errors import InputError
from alignrec_geo.exchange import exchange
from alignrec_geo.files import inside, is_within, sha256_of
from alignrec_geo.locks import LOCK, Lock
from alignrec_geo.outputs import check_parents, followed
from alignrec_geo.staging import delete, is_leftover, retired_name, staged_folder, sweep

_DROPPINGS = (".DS_Store", "Thumbs.db", "desktop.ini", LOCK)
"""Files that nobody misses: of file managers, and locks."""


@dataclass(frozen=True)
class FolderKind:
    """A kind of folder that this program makes.

    Args:
        name: what people call it: ``data set``.
        problem: what keeps a folder from being wholly of this kind, ``None`` if nothing does. It completes
            "the folder …": ``has no dataset.json``, ``holds 'thesis.tex', which is no part of a data set``.
        owns: patterns (regular expressions) of the paths in it that it may hold.
        guard: keeps other processes out of a folder while it is being replaced.
    """

    name: str
    problem: Callable[[Path], str | None]
    owns: Sequence[str] = ()
    guard: Callable[[Path], AbstractContextManager[object]] = lambda folder: nullcontext()

    def files(self, folder: Path | None, besides: Collection[str] = ()) -> list[Path]:
        """Files of a folder of this kind that no other output of a command may replace, except those named."""
        if folder is None or not folder.is_dir():
            return []
        return [
            folder / name for name in _contents(folder) if name not in besides and ("/" in name or self._is_own(name))
        ]

    def unlike(self, folder: Path, files: Mapping[str, str], besides: Collection[str] = ()) -> str | None:
        """Say what keeps ``folder`` from holding these files as they were written, and nothing else.

        Args:
            folder: the folder.
            files: SHA-256 by path.
            besides: other paths in it that belong to it.
        """
        changed = (name for name in files if (folder / name).is_file() and sha256_of(folder / name) != files[name])
        foreign = self.foreign(folder, [*besides, *files])
        if foreign is not None:
            return foreign
        first = next(changed, None)
        return None if first is None else f"holds '{first}', which was changed since"

    def _is_own(self, name: str) -> bool:
        return any(re.fullmatch(pattern, name, re.DOTALL) for pattern in self.owns)

    def foreign(self, folder: Path, exact: Collection[str] = (), below: Collection[str] = ()) -> str | None:
        """Say which entry of ``folder`` is no part of this kind, ``None`` if there is no such.

        Args:
            folder: the folder.
            exact: paths in it that belong to it, beside :attr:`owns`.
            below: sub-folders that are judged elsewhere.
        """
        for name in _contents(folder, below):
            if name not in exact and not self._is_own(name):
                return f"holds '{name}', which is no part of a {self.name}"
        return None


@dataclass
class NewFolder:
    """A folder that is made beside its place.

    Args:
        path: where it is now.
        target: where it belongs.
        kind: what it is.
    """

    path: Path
    target: Path
    kind: FolderKind

    def settle(self) -> Path:
        """Move it to its place, in one step; what was there is deleted. Returns the place.

        Raises:
            InputError: something else came to be there meanwhile.
        """
        if self.path == self.target:
            return self.target
        try:
            os.rename(self.path, self.target)  # to no folder, or over an empty one
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            problem = None if is_vacant(self.target) else self.kind.problem(self.target)
            if problem is not None:
                raise InputError(f"{self.target}: cannot be replaced: the folder {problem}") from None
            _swap(self.path, self.target)
        self.path = self.target
        return self.target


@contextmanager
def new_folder(
    path: Path, kind: FolderKind, overwrite: bool = False, inputs: Iterable[str | os.PathLike[str] | None] = ()
) -> Iterator[NewFolder]:
    """Yield a folder to fill; if it was not settled when the block ends, it is deleted and ``path`` is as before.

    Args:
        path: where it belongs; a link is followed.
        kind: what is made.
        overwrite: replace a folder of this kind.
        inputs: what the same command reads, which must not be replaced.

    Raises:
        InputError: see :func:`folder_target`.
    """
    target = folder_target(path, kind, overwrite, inputs)
    target.parent.mkdir(parents=True, exist_ok=True)
    guarded = target.is_dir() and not is_vacant(target)
    with kind.guard(target) if guarded else nullcontext(), staged_folder(target) as staging:
        if target.is_dir():
            shutil.copymode(target, staging)
        yield NewFolder(staging, target, kind)


@contextmanager
def atomic_directory(
    path: Path, kind: FolderKind, overwrite: bool = False, inputs: Iterable[str | os.PathLike[str] | None] = ()
) -> Iterator[Path]:
    """Yield an empty folder that becomes ``path`` when the block ends without an error; see :func:`new_folder`."""
    with new_folder(path, kind, overwrite, inputs) as made:
        yield made.path
        made.settle()


def folder_target(
    path: Path, kind: FolderKind, overwrite: bool = False, inputs: Iterable[str | os.PathLike[str] | None] = ()
) -> Path:
    """Check that a folder can be made, before the work, and return where it will be: links are followed.

    What killed processes left beside it is deleted.

    Raises:
        InputError: it is a file or lies under one; it is not empty and ``overwrite`` is false, or it is not wholly of
            this kind; it is or holds an input, the current folder or a mount point; another process is making it.
    """
    target = followed(path)
    check_parents(target)
    if sweep(target):
        raise InputError(f"{path}: another process is writing there now; wait for it, or name another folder")
    if not os.path.lexists(target):
        return target
    if not target.is_dir():
        raise InputError(f"{path} is a file; a folder is to be written there")
    for given in inputs:
        if given is not None and is_within(given, target):
            raise InputError(f"{path} holds '{given}', which this command reads; name another folder")
    if not is_vacant(target):
        if not overwrite:
            raise InputError(f"{path} already exists and is not empty; name another folder or pass overwrite=True")
        problem = kind.problem(target)
        if problem is not None:
            raise InputError(
                f"{path}: overwrite=True replaces only a {kind.name} that this program made; this folder {problem}"
            )
    if is_within(os.getcwd(), target):
        raise InputError(f"{path} is or holds the current folder, which cannot be replaced; run this from elsewhere")
    if os.path.ismount(target):
        raise InputError(f"{path} is a mount point, which cannot be replaced; name a folder in it")
    return target


def is_vacant(folder: Path) -> bool:
    """Whether a folder holds nothing but what killed processes or file managers left."""
    with os.scandir(folder) as entries:
        return all(entry.name in _DROPPINGS or is_leftover(entry.name) for entry in entries)


def check_links(folder: Path) -> None:
    """Check a folder that may come from a stranger.

    Raises:
        InputError: a link in it leads out of it, or to a pipe, socket or device.
    """
    for name in _contents(folder):
        inside(folder, name)


def copy_tree(source: Path, target: Path, link: bool = False) -> None:
    """Copy the files of a folder that may come from a stranger; locks and leftovers stay behind.

    Args:
        source: the folder.
        target: made if it is missing.
        link: make hard links instead, where the file system can.

    Raises:
        InputError: a link leads out of ``source``, or to a pipe, socket or device.
    """
    for name in _contents(source):
        if inside(source, name).is_file():
            copy_file(source / name, target / name, link)


def copy_file(source: Path, target: Path, link: bool = False) -> None:
    """Copy one file, or link it, making the folder it goes to."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if link:
        try:
            os.link(os.path.realpath(source), target)
            return
        except FileExistsError:
            raise
        except OSError:
            pass  # no hard links here
    shutil.copyfile(source, target)


def _contents(folder: Path, below: Collection[str] = ()) -> Iterator[str]:
    """Paths of all that is no folder, in order; a link to a folder is none."""
    pending = [""]
    while pending:
        prefix = pending.pop()
        with os.scandir(folder / prefix) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                name = prefix + entry.name
                if entry.name in _DROPPINGS or is_leftover(entry.name) or name in below:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    pending.append(f"{name}/")
                else:
                    yield name


def _swap(new: Path, target: Path) -> None:
    """Put ``new`` where ``target`` is and delete what was there; a kill at any point leaves one of them whole."""
    if exchange(new, target):
        delete(new)
        return
    retired = retired_name(target)
    lock = Lock.attempt(target, create=False)  # tells others that this is not a leftover
    try:
        try:
            os.rename(target, retired)
            os.rename(new, target)
        except BaseException:
            if not os.path.lexists(target):
                os.rename(retired, target)
            raise
        delete(retired)
    finally:
        if lock is not None:
            lock.release()
