"""Unpacking archives of others without letting them write outside their folder."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alignrec_geo.dataset.archives import Member, members
from alignrec_geo.errors import InputError
from alignrec_geo.files import atomic_path

LONGEST_NAME = 255
UNUSABLE = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.EINVAL, errno.EILSEQ)
"""What the system says of names that no file can have, and of a file where a folder is needed."""


def unpack(archive: Path, folder: Path) -> list[Path]:
    """Unpack a zip or tar file into ``folder``; files that are there in the right size stay as they are.

    All names and sizes are checked before the first file is written.

    Returns:
        The unpacked files.

    Raises:
        InputError: not a readable archive, one that asks for more than the limits allow, or a member that is a link,
            is no plain file, points outside, or has a name that no file can have.
    """
    total = 0
    for member in members(archive):
        if not member.plain:
            raise InputError(f"{archive}: member '{member.name}' is a link or no plain file; refused")
        with _naming(archive, member.name):
            _check_way(archive, folder, member.name)
        total += member.size
        member.budget.check(total)
    written = []
    for member in members(archive):
        with _naming(archive, member.name):
            written.append(_write(folder / member.name, member))
    return written


@contextmanager
def _naming(archive: Path, name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in UNUSABLE:  # a full disk is not the archive's fault
            raise
        raise InputError(f"{archive}: no file can be called '{name:.80}' here ({error.strerror})") from None


def _check_way(archive: Path, folder: Path, name: str) -> None:
    """No link that is there already may lead the member elsewhere, and its name must be one of a file."""
    if any(len(part.encode("utf-8", "surrogatepass")) > LONGEST_NAME for part in name.split("/")):
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
    for part in (folder / name, *(folder / name).parents):
        if part == folder:
            return
        if part.is_symlink():
            raise InputError(f"{archive}: member '{name}' would be written through the link {part}; refused")


def _write(target: Path, member: Member) -> Path:
    if not (target.is_file() and target.stat().st_size == member.size):
        with atomic_path(target) as staging, staging.open("wb") as sink:
            for block in member.blocks():
                sink.write(block)
    return target
