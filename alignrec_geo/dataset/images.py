"""Item pictures from a folder or a tar file, streamed, checked, and copied into a data set."""

import io
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from PIL import Image, UnidentifiedImageError

from alignrec_geo.errors import InputError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")

Picture = tuple[str, str, bytes]
"""Stem (the id of the item), suffix and bytes of one picture."""


@dataclass(frozen=True)
class ImageSource:
    """A folder or a tar file whose pictures are called ``ITEM-ID.jpg`` (or another picture suffix).

    Nothing is unpacked: the bytes are read one picture at a time.

    Raises:
        InputError: no such folder or file, not a readable tar file, or a member whose path leaves the archive.
    """

    path: Path

    def __post_init__(self) -> None:
        if not self.path.exists():
            raise InputError(f"{self.path}: no such folder or tar file of images")

    def __iter__(self) -> Iterator[Picture]:
        """Yield ``(stem, suffix, bytes)`` of every picture."""
        return self._from_folder() if self.path.is_dir() else self._from_tar()

    def _from_folder(self) -> Iterator[Picture]:
        for file in sorted(self.path.iterdir()):
            if file.suffix.lower() in SUFFIXES and file.is_file():
                yield file.stem, file.suffix.lower(), file.read_bytes()

    def _from_tar(self) -> Iterator[Picture]:
        try:
            with tarfile.open(self.path, "r:*") as archive:
                for member in archive:
                    name = PurePosixPath(member.name)
                    if name.is_absolute() or ".." in name.parts:
                        raise InputError(f"{self.path}: member '{member.name}' points outside the archive; refused")
                    stream = archive.extractfile(member) if member.isfile() else None
                    if stream is not None and name.suffix.lower() in SUFFIXES:
                        yield name.stem, name.suffix.lower(), stream.read()
                _check_tar_end(archive)
        except (tarfile.TarError, EOFError, OSError) as error:
            raise InputError(f"{self.path}: not a readable tar file, or truncated ({error})") from None


def _check_tar_end(archive: tarfile.TarFile) -> None:
    """Python ends silently where a tar file breaks off between two members; a whole one ends in a zero block."""
    stream = archive.fileobj
    assert stream is not None
    stream.seek(archive.offset)
    if len(stream.read(tarfile.BLOCKSIZE)) < tarfile.BLOCKSIZE:
        raise tarfile.ReadError("no end-of-archive marker")


def broken_image(content: bytes) -> str | None:
    """Return why ``content`` cannot be decoded as a picture, or ``None`` if it can."""
    try:
        with Image.open(io.BytesIO(content)) as picture:
            picture.load()
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return "not a picture" if isinstance(error, UnidentifiedImageError) else str(error)
    return None


def store_images(source: Iterable[Picture], ids: Sequence[str], folder: Path) -> tuple[list[str | None], list[str]]:
    """Copy the pictures of the given items into ``folder``.

    Args:
        source: where the pictures come from.
        ids: external item ids; a picture's stem is the id of its item.
        folder: made if it is not there.

    Returns:
        The file name of every item, ``None`` without one, and notes on what could not be used.
    """
    row_of = {item: row for row, item in enumerate(ids)}
    names: list[str | None] = [None] * len(ids)
    broken: list[str] = []
    unknown = 0
    folder.mkdir(parents=True, exist_ok=True)
    taken: set[str] = set()
    for stem, suffix, content in source:
        row = row_of.get(stem)
        if row is None:
            unknown += 1
            continue
        problem = broken_image(content)
        if problem is not None:
            broken.append(f"image {stem}{suffix} cannot be read ({problem}); item '{stem}' counts as without image")
            continue
        if names[row] is not None:
            broken.append(f"item '{stem}' has more than one image; {names[row]} is kept")
            continue
        name = _file_name(stem, row, suffix, taken)
        (folder / name).write_bytes(content)
        names[row] = name
    notes = broken
    if unknown:
        notes.append(f"{unknown} images belong to no item of this data set and were left out")
    return names, notes


def _file_name(item: str, row: int, suffix: str, taken: set[str]) -> str:
    """A portable file name: the quoted id, or the row number where that is too long or taken (ignoring case)."""
    stem = quote(item, safe=" ").strip(". ")
    if not stem or len(stem) > 200 or stem.casefold() in taken:
        stem = f"row-{row}"
    taken.add(stem.casefold())
    return stem + suffix
