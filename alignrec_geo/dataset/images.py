"""Item images from a folder or an archive, streamed, checked, and copied into a data set."""

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from unicodedata import normalize
from urllib.parse import quote, unquote

from alignrec_geo.dataset.archives import members
from alignrec_geo.errors import InputError
from alignrec_geo.files import is_within, naming
from alignrec_geo.image_files import broken_image, suffixes
from alignrec_geo.limits import limit

ImageBytes = tuple[str, str, bytes]
"""Stem (the id of the item), suffix and bytes of one image."""

SHOWN = 10
"""Notes of one kind that are shown one by one."""


@dataclass(frozen=True)
class ImageSource:
    """A folder, a tar or a zip file whose images are called ``ITEM-ID.jpg`` (or another image suffix).

    Subfolders are read too. Nothing is unpacked: the bytes are read one image at a time. Links that lead out of the
    folder, pipes and devices are passed over.

    Args:
        path: the folder or archive.
        notes: what was passed over the last time the images were read.

    Raises:
        InputError: no such folder or file, not a readable archive, or a member whose path leaves the archive.
    """

    path: Path
    notes: list[str] = field(default_factory=list, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not self.path.exists():
            raise InputError(f"{self.path}: no such folder, tar or zip file of images")

    def __iter__(self) -> Iterator[ImageBytes]:
        """Yield ``(stem, suffix, bytes)`` of every image."""
        passed = _Passed()
        yield from self._from_folder(passed) if self.path.is_dir() else self._from_archive(passed)
        self.notes[:] = passed.notes()

    def _from_folder(self, passed: "_Passed") -> Iterator[ImageBytes]:
        root = self.path.resolve()
        for file in _walk(root, passed):
            name = PurePosixPath(file.relative_to(root).as_posix())
            try:
                mode = file.lstat().st_mode
                if stat.S_ISLNK(mode):
                    if not is_within(file, root):
                        passed.add("links that lead out of the folder", name)
                        continue
                    mode = file.stat().st_mode
                if not stat.S_ISREG(mode):
                    passed.add("pipes, sockets or devices", name)
                elif passed.wants(name, file.stat().st_size):
                    yield name.stem, name.suffix.lower(), file.read_bytes()
            except OSError as error:
                passed.add(f"files that cannot be read ({error.strerror})", name)

    def _from_archive(self, passed: "_Passed") -> Iterator[ImageBytes]:
        for member in members(self.path):
            name = PurePosixPath(member.name.replace("\\", "/"))
            if not member.plain:
                passed.add("links or devices", name)
            elif passed.wants(name, member.size):
                member.budget.spend(member.size)
                try:
                    content = b"".join(member.blocks())
                except InputError:
                    passed.add("damaged members", name)
                    continue  # if more than this one is damaged, the next says so
                yield name.stem, name.suffix.lower(), content


class _Passed:
    """What a source passes over, by reason, to be told in a few lines."""

    def __init__(self) -> None:
        self._examples: dict[str, list[str]] = {}
        self._counts: Counter[str] = Counter()
        self._suffixes: Counter[str] = Counter()

    def add(self, reason: str, name: PurePosixPath) -> None:
        self._counts[reason] += 1
        if self._counts[reason] <= 3:
            self._examples.setdefault(reason, []).append(_shown(str(name)))

    def wants(self, name: PurePosixPath, size: int) -> bool:
        """Whether a file is to be read as an image, going by its name and size."""
        if name.name.startswith("._") or "__MACOSX" in name.parts:
            return False  # what macOS adds beside every file
        if name.suffix.lower() not in suffixes():
            self._suffixes[name.suffix.lower() or "no suffix"] += 1
            return False
        if size > limit("image_bytes"):
            self.add(f"files larger than the limit of {limit('image_bytes')} bytes (image_bytes)", name)
            return False
        return True

    def notes(self) -> list[str]:
        said = [
            f"images: {count} {reason} were passed over, e.g. {', '.join(self._examples[reason])}"
            for reason, count in self._counts.items()
        ]
        if self._suffixes:
            kinds = ", ".join(f"{suffix} ({count})" for suffix, count in self._suffixes.most_common(5))
            total = self._suffixes.total()
            said.append(
                f"images: {total} files have a suffix of no image that can be read and were passed over: {kinds}"
            )
        return said


def _walk(root: Path, passed: _Passed) -> Iterator[Path]:
    """Every file under a folder, in the order of the names; linked folders are not entered."""

    def unreadable(error: OSError) -> None:
        passed.add(
            f"folders that cannot be read ({error.strerror})", PurePosixPath(os.path.relpath(error.filename, root))
        )

    for folder, inner, names in os.walk(root, onerror=unreadable):
        inner.sort()
        for name in [name for name in inner if os.path.islink(os.path.join(folder, name))]:
            passed.add("linked folders", PurePosixPath(os.path.relpath(os.path.join(folder, name), root)))
        yield from (Path(folder, name) for name in sorted(names))


def store_images(source: Iterable[ImageBytes], ids: Sequence[str], folder: Path) -> tuple[list[str | None], list[str]]:
    """Copy the images of the given items into ``folder``.

    Args:
        source: where the images come from.
        ids: external item ids; an image's stem is the id of its item.
        folder: made if it is not there.

    Returns:
        The file name of every item, ``None`` without one, and notes on what could not be used.

    Raises:
        InputError: not one image belongs to an item.
    """
    row_of = {item: row for row, item in enumerate(ids)}
    names: list[str | None] = [None] * len(ids)
    notes = _Notes()
    unknown: list[str] = []
    unknown_count = matched = 0
    folder.mkdir(parents=True, exist_ok=True)
    taken: set[str] = set()
    for stem, suffix, content in source:
        row = next((row_of[name] for name in _readings(stem) if name in row_of), None)
        if row is None:
            unknown_count += 1
            unknown += [_shown(f"{stem}{suffix}")] if len(unknown) < 3 else []
            continue
        matched += 1
        item = ids[row]
        problem = broken_image(content)
        if problem is not None:
            notes.broken(f"image {stem}{suffix} cannot be read ({problem}); item '{item}' counts as without image")
        elif names[row] is not None:
            notes.twice(f"item '{item}' has more than one image; {names[row]}, the first, is kept")
        else:
            names[row] = name = _file_name(item, row, suffix, taken)
            with naming(folder / name):
                (folder / name).write_bytes(content)
    if not matched:
        raise _nothing_matched(source, unknown, unknown_count, ids)
    have = sum(name is not None for name in names)
    strangers = f"; {unknown_count} images matched no item, e.g. {', '.join(unknown)}" if unknown else ""
    passed = source.notes if isinstance(source, ImageSource) else []
    return names, [f"{have} of {len(ids)} items have an image{strangers}", *notes.all(), *passed]


class _Notes:
    """Notes on single images, of which thousands may be alike."""

    def __init__(self) -> None:
        self._broken: list[str] = []
        self._twice: list[str] = []

    def broken(self, note: str) -> None:
        self._broken.append(note)

    def twice(self, note: str) -> None:
        self._twice.append(note)

    def all(self) -> list[str]:
        said = []
        for kind, found in (("images cannot be read", self._broken), ("items have more than one image", self._twice)):
            said += found[:SHOWN]
            if len(found) > SHOWN:
                said.append(f"{len(found) - SHOWN} more {kind}")
        return said


def _shown(name: str) -> str:
    """A file name as text; bytes that are none become question marks."""
    return name.encode("utf-8", "replace").decode()


def _readings(stem: str) -> Iterator[str]:
    """The ids a file name may stand for: itself, composed as macOS takes it apart, or with %2F for a slash."""
    yield stem
    yield normalize("NFC", stem)
    yield unquote(stem)


def _nothing_matched(source: object, unknown: list[str], count: int, ids: Sequence[str]) -> InputError:
    label = str(source.path) if isinstance(source, ImageSource) else "images"
    items = ", ".join(ids[:3])
    if unknown:
        return InputError(
            f"{label}: none of its {count} images is called as an item; images are for example "
            f"{', '.join(unknown)}, item ids are for example {items}"
        )
    passed = "".join(f" ({note.removeprefix('images: ')})" for note in getattr(source, "notes", []))
    return InputError(f"{label}: no images in it; they are to be called ITEM-ID.jpg, for example {ids[0]}.jpg{passed}")


def _file_name(item: str, row: int, suffix: str, taken: set[str]) -> str:
    """A portable file name: the quoted id, or the row number where that is too long or taken (ignoring case)."""
    stem = quote(item, safe=" ").strip(". ")
    if not stem or len(stem) > 200 or stem.casefold() in taken:
        stem = f"row-{row}"
    taken.add(stem.casefold())
    return stem + suffix
