"""Images that a column of the items names, in a folder or an archive, in place of being called as their items."""

import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from alignrec_geo.dataset.archives import members
from alignrec_geo.dataset.images import SHOWN, ImageBytes, ImageSource
from alignrec_geo.dataset.readers.rows import Table, shown
from alignrec_geo.errors import InputError
from alignrec_geo.files import is_within
from alignrec_geo.image_files import suffixes
from alignrec_geo.limits import limit
from alignrec_geo.reading import reading

ADDRESS = r"^[A-Za-z][A-Za-z0-9+.-]+://"


@dataclass(frozen=True)
class NamedImages(ImageSource):
    """A folder or archive in which the items' images have names of their own.

    Several items may share one image. Of a folder only the files that are named are read. In an archive, a name without
    a folder is found in any folder.

    Args:
        path: the folder or archive.
        notes: what was passed over the last time the images were read.
        items_of: the items of every file name; ``/`` between folders.

    Raises:
        InputError: no such folder or file; or, while it is read, not one of the files is there.
    """

    items_of: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)

    def __iter__(self) -> Iterator[ImageBytes]:
        """Yield ``(item id, suffix, bytes)`` of every item whose image is there."""
        missing = dict.fromkeys(self.items_of)
        passed: list[str] = []
        for name, content in self._folder(passed) if self.path.is_dir() else self._archive(passed):
            missing.pop(name, None)
            for item in self.items_of[name]:
                yield item, PurePosixPath(name).suffix.lower(), content
        if len(missing) == len(self.items_of):
            examples = ", ".join(map(shown, list(missing)[:3]))
            raise InputError(f"{self.path}: holds none of the {len(missing)} images that are named, such as {examples}")
        lacking = [f"image {shown(name)} of item '{self.items_of[name][0]}' is not there" for name in missing]
        self.notes[:] = passed[:SHOWN] + lacking[:SHOWN]
        more = max(len(lacking) - SHOWN, 0) + max(len(passed) - SHOWN, 0)
        if more:
            self.notes.append(f"{more} more images are missing or were passed over")

    def _folder(self, passed: list[str]) -> Iterator[tuple[str, bytes]]:
        for name in self.items_of:
            file = self.path / name
            try:
                if not is_within(file, self.path):
                    passed.append(f"image {shown(name)} lies outside of {self.path} and was passed over")
                    continue
                known = file.stat()
                if stat.S_ISREG(known.st_mode) and _wanted(name, known.st_size, passed):
                    yield name, file.read_bytes()
            except FileNotFoundError:
                continue
            except (OSError, ValueError) as error:
                passed.append(f"image {shown(name)} cannot be read ({error})")

    def _archive(self, passed: list[str]) -> Iterator[tuple[str, bytes]]:
        done: set[str] = set()
        for member in members(self.path):
            whole = PurePosixPath(member.name.replace("\\", "/"))
            name = next((n for n in (str(whole), whole.name) if n in self.items_of and n not in done), None)
            if name is None or not member.plain or not _wanted(name, member.size, passed):
                continue
            member.budget.spend(member.size)
            done.add(name)
            yield name, b"".join(member.blocks())


def named_images(items: Table, column: str, images: Path | None, file: Path) -> NamedImages:
    """The images that a column of a table of items names.

    Paths are below ``images``, or the folder of the table. Web addresses stand for the file called as their last part;
    nothing is downloaded.

    Args:
        items: columns ``id`` and ``image``.
        column: what the column is called in the file, for messages.
        images: folder or archive of the images; the folder of ``file`` if not given.
        file: where the table was read from.

    Raises:
        InputError: the column is empty, or holds web addresses and ``images`` is not given.
    """
    named = items.frame.select("id", "image")
    address = named["image"].str.contains(ADDRESS).fill_null(False)
    if images is None and address.any():
        row = int(address.arg_max() or 0)
        held = shown(named["image"][row])
        raise InputError(
            f"{items.label}: {items.where(row)} holds {held} in column '{column}', a web address; nothing is "
            "downloaded: put the files into one folder, where each is called as the last part of its address, and "
            "name it with images="
        )
    root = images if images is not None else file if file.is_dir() else file.parent
    items_of: dict[str, list[str]] = {}
    for item, text in named.drop_nulls().iter_rows():
        items_of.setdefault(_file_name(text, root), []).append(item)
    if not items_of:
        raise InputError(f"{items.label}: column '{column}' names no image")
    with reading(root, "folder or archive of images"):
        return NamedImages(root, items_of=items_of)


def _file_name(text: str, root: Path) -> str:
    if re.match(ADDRESS, text):
        return unquote(PurePosixPath(urlsplit(text).path).name)
    plain = text.replace("\\", "/")
    whole = Path(plain)
    if whole.is_absolute() and root.is_dir() and is_within(whole, root):
        return whole.resolve().relative_to(root.resolve()).as_posix()
    return str(PurePosixPath(plain))


def _wanted(name: str, size: int, passed: list[str]) -> bool:
    if PurePosixPath(name).suffix.lower() not in suffixes():
        passed.append(f"image {shown(name)} has a suffix of no image that can be read")
        return False
    if size > limit("image_bytes"):
        passed.append(f"image {shown(name)} is larger than the limit of {limit('image_bytes')} bytes (image_bytes)")
        return False
    return True
