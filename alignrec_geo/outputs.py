"""Whether something can be written, known before the work."""

import errno
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from alignrec_geo.errors import InputError


def followed(path: Path) -> Path:
    """Return where a path leads, with all links followed.

    Raises:
        InputError: its links lead in a circle.
    """
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise InputError(f"{path}: links that lead in a circle")
    return target


def check_parents(target: Path) -> None:
    """Check that the folder of ``target`` is there or can be made, and can be written.

    Raises:
        InputError: a file is where a folder would have to be.
        PermissionError: no permission to write there.
    """
    for parent in target.parents:
        if parent.is_dir():
            if not os.access(parent, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, "no permission to write in this folder", str(parent))
            return
        if os.path.lexists(parent):
            raise InputError(f"{target}: {parent} is a file; nothing can be written under it")


def output_file(path: Path, inputs: Iterable[str | os.PathLike[str] | None] = ()) -> Path:
    """Check that a file can be written, before the work, and return where it will be: links are followed.

    Args:
        path: what the user named.
        inputs: files that the same command reads, which must not be replaced.

    Raises:
        InputError: it is a folder, a pipe or a device, lies under a file, or is an input.
        PermissionError: no permission to write there.

    Example:
        >>> output_file(Path("."))
        Traceback (most recent call last):
        alignrec_geo.errors.InputError: .: is a folder; a file is to be written there
    """
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        mode = None
    if mode is not None and stat.S_ISDIR(mode):
        raise InputError(f"{path}: is a folder; a file is to be written there")
    if mode is not None and not stat.S_ISREG(mode):
        raise InputError(f"{path}: is a pipe, socket or device; a file is to be written there")
    target = followed(path)
    check_parents(target)
    for given in inputs:
        if given is not None and os.path.realpath(given) == str(target):
            raise InputError(f"{path}: is what this command reads; name another file")
    return target
