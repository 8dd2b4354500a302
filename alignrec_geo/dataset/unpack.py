"""Unpacking archives of others without letting them write outside their folder."""

import shutil
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path, PureWindowsPath
from typing import IO

from alignrec_geo.errors import InputError
from alignrec_geo.files import atomic_path


def unpack(archive: Path, folder: Path) -> list[Path]:
    """Unpack a zip or tar file into ``folder``; files that are there in the right size stay as they are.

    All names are checked before the first file is written.

    Returns:
        The unpacked files.

    Raises:
        InputError: not a readable archive, or a member that is a link, is no plain file, or points outside.
    """
    try:
        if zipfile.is_zipfile(archive):
            return _unpack_zip(archive, folder)
        return _unpack_tar(archive, folder)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, NotImplementedError) as error:
        raise InputError(f"{archive}: not a readable zip or tar file, or truncated ({error})") from None


def _unpack_zip(archive: Path, folder: Path) -> list[Path]:
    with zipfile.ZipFile(archive) as opened:
        members = [member for member in opened.infolist() if not member.is_dir()]
        for member in members:
            kind = stat.S_IFMT(member.external_attr >> 16)
            _check(archive, member.filename, plain=kind in (0, stat.S_IFREG))
        written = []
        for member in members:
            with opened.open(member) as stream:
                written.append(_write(folder / member.filename, member.file_size, stream))
        return written


def _unpack_tar(archive: Path, folder: Path) -> list[Path]:
    with tarfile.open(archive) as opened:
        members = [member for member in opened.getmembers() if not member.isdir()]
        for member in members:
            _check(archive, member.name, plain=member.isfile())
        written = []
        for member in members:
            stream = opened.extractfile(member)
            assert stream is not None  # plain files have one
            with stream:
                written.append(_write(folder / member.name, member.size, stream))
        return written


def _check(archive: Path, name: str, plain: bool) -> None:
    path = PureWindowsPath(name)  # splits at both kinds of slash and knows drive letters
    if path.anchor or ".." in path.parts or not path.parts:
        raise InputError(f"{archive}: member '{name}' points outside the archive; refused")
    if not plain:
        raise InputError(f"{archive}: member '{name}' is a link or no plain file; refused")


def _write(target: Path, size: int, stream: IO[bytes]) -> Path:
    if not (target.is_file() and target.stat().st_size == size):
        with atomic_path(target) as staging, staging.open("wb") as sink:
            shutil.copyfileobj(stream, sink, 1 << 20)
    return target
