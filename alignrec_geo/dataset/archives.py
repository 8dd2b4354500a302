"""The members of a zip or tar file, one after the other, within limits; nothing is written here."""

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import IO, Any, cast

from alignrec_geo.errors import InputError
from alignrec_geo.limits import limit, over_limit
from alignrec_geo.reading import check_plain_file, reading

KIND = "zip or tar file"
BLOCK = 1 << 20
UNCHECKED = 64 << 20
"""Bytes that any archive may unpack to, however small it is itself."""

_COMPRESSED: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
    b"\x5d\x00\x00": lzma.open,
}
_ZSTANDARD = b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True)
class Member:
    """One file in an archive; its bytes can be read until the next member is asked for.

    Args:
        archive: the archive.
        name: its path in there.
        size: its bytes.
        plain: a plain file, not a link, a device or encrypted.
        opener: opens it.
        budget: what the archive may still unpack to.
    """

    archive: Path
    name: str
    size: int
    plain: bool
    opener: Callable[[], IO[bytes]]
    budget: "Budget"

    def blocks(self) -> Iterator[bytes]:
        """The bytes, block by block.

        Raises:
            InputError: the archive is damaged here.
        """
        with reading(self.archive, KIND), closing(self.opener()) as stream:
            while block := stream.read(BLOCK):
                yield block


def members(archive: Path) -> Iterator[Member]:
    """Yield the files in a zip file, or in a tar file with any compression; folders are passed over.

    Raises:
        InputError: not an archive, a damaged or truncated one, a path that leaves it, or more members or bytes
            than the limits ``archive_members``, ``unpacked_bytes`` and ``unpacked_ratio`` allow. Bytes that are
            neither read nor have to be decompressed on the way do not count.
    """
    check_plain_file(archive, KIND)
    with reading(archive, KIND):
        budget = Budget(archive)
        found = _zip(archive, budget) if zipfile.is_zipfile(archive) else _tar(archive, budget)
        for count, member in enumerate(found):
            if count >= limit("archive_members"):
                raise over_limit(archive, "has more members", "archive_members")
            _check_inside(archive, member.name)
            yield member


def _check_inside(archive: Path, name: str) -> None:
    path = PureWindowsPath(name)  # splits at both kinds of slash and knows drive letters
    if path.anchor or ".." in path.parts or not path.parts or "\0" in name:
        raise InputError(f"{archive}: member '{name}' points outside the archive; refused")


class Budget:
    """Counts the bytes of an archive against ``unpacked_bytes`` and ``unpacked_ratio``.

    Args:
        archive: may always unpack to its own size and to 64 MiB.
    """

    def __init__(self, archive: Path) -> None:
        self._archive = archive
        self._size = archive.stat().st_size
        self._spent = 0

    def spend(self, size: int) -> None:
        """Count what is to be read next.

        Raises:
            InputError: it is too much.
        """
        self._spent += size
        self.check(self._spent)

    def check(self, total: int) -> None:
        """Check a sum of bytes.

        Raises:
            InputError: it is too much.
        """
        if total <= max(UNCHECKED, self._size):
            return
        if total > limit("unpacked_bytes"):
            raise over_limit(self._archive, f"unpacks to {total:.3g} bytes or more", "unpacked_bytes")
        if total > self._size * limit("unpacked_ratio"):
            times = f"unpacks to {total / max(self._size, 1):.3g} times its size or more"
            raise over_limit(self._archive, times, "unpacked_ratio")


class _Metered(io.RawIOBase):
    """A decompressed stream that knows how far it may be read; also what is skipped has to be decompressed."""

    def __init__(self, stream: IO[bytes], budget: Budget) -> None:
        self._stream, self._budget = stream, budget

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._stream.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET or offset < 0:
            raise tarfile.ReadError("a member lies outside the archive")
        self._budget.check(offset)
        return self._stream.seek(offset)

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            raise tarfile.ReadError("a member has a negative size")
        self._budget.check(self._stream.tell() + size)
        return self._stream.read(size)

    def close(self) -> None:
        self._stream.close()
        super().close()


def _zip(archive: Path, budget: Budget) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            if info.is_dir():
                continue
            if info.flag_bits & 1:
                raise InputError(f"{archive}: member '{info.filename}' is encrypted; unpack it by hand")
            plain = stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG)
            yield Member(archive, info.filename, info.file_size, plain, partial(opened.open, info), budget)


def _tar(archive: Path, budget: Budget) -> Iterator[Member]:
    with archive.open("rb") as raw:
        start = raw.read(6)
        raw.seek(0)
        if start.startswith(_ZSTANDARD):
            raise InputError(f"{archive}: is compressed with zstd, which is not read; unpack it first (zstd -d)")
        opener = next((opener for magic, opener in _COMPRESSED.items() if start.startswith(magic)), None)
        stream: Any = _Metered(raw if opener is None else opener(raw), budget)
        with tarfile.open(fileobj=stream, mode="r:") as opened:
            for info in opened:
                if info.size < 0:
                    raise tarfile.ReadError("a member has a negative size")  # or its end lies before its start
                if not info.isdir():
                    stream_of = partial(_tar_stream, opened, info)
                    yield Member(archive, info.name, info.size, info.isfile(), stream_of, budget)
                cast(Any, opened).members.clear()  # a list of all that was passed would only grow
            _check_end(opened)


def _tar_stream(opened: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    stream = opened.extractfile(info)
    assert stream is not None  # plain files have one
    return stream


def _check_end(opened: tarfile.TarFile) -> None:
    """Python ends silently where a tar file breaks off between two members; a whole one ends in a zero block."""
    stream = opened.fileobj
    assert stream is not None
    stream.seek(opened.offset)
    if len(stream.read(tarfile.BLOCKSIZE)) < tarfile.BLOCKSIZE:
        raise tarfile.ReadError("truncated: no end-of-archive marker")
