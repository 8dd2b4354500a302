"""Unpacking archives of others without letting them write outside their folder."""

from pathlib import Path

from alignrec_geo.dataset.archives import Member, members
from alignrec_geo.errors import InputError
from alignrec_geo.files import atomic_path


def unpack(archive: Path, folder: Path) -> list[Path]:
    """Unpack a zip or tar file into ``folder``; files that are there in the right size stay as they are.

    All names and sizes are checked before the first file is written.

    Returns:
        The unpacked files.

    Raises:
        InputError: not a readable archive, one that asks for more than the limits allow, or a member that is a link,
            is no plain file, or points outside.
    """
    total = 0
    for member in members(archive):
        if not member.plain:
            raise InputError(f"{archive}: member '{member.name}' is a link or no plain file; refused")
        _check_way(archive, folder, member.name)
        total += member.size
        member.budget.check(total)
    return [_write(folder / member.name, member) for member in members(archive)]


def _check_way(archive: Path, folder: Path, name: str) -> None:
    """No link that is there already may lead the member elsewhere."""
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
