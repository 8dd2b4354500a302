"""Fetching the files of a recipe: those that are there and right stay, the others come and are checked."""

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, ValidationError

from alignrec_geo.dataset.download import ADDRESS, download, is_address
from alignrec_geo.dataset.recipes import RECORD, Recipe, RemoteFile
from alignrec_geo.dataset.unpack import unpack
from alignrec_geo.errors import FetchError, InputError
from alignrec_geo.files import is_within, read_json, sha256_of, write_json

FileProgress = Callable[[str, int, int | None], None]
"""Called with the path of the file, the bytes there so far and, if known, the bytes there will be."""


class FetchedFile(BaseModel):
    """What came of one file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    """Where it came from."""
    bytes: int
    """Its size."""
    sha256: str
    """Its SHA-256."""
    hash_published: bool
    """Whether its owner's hash was there to compare with."""


class FetchRecord(BaseModel):
    """What ``fetched.json`` in the folder holds."""

    model_config = ConfigDict(extra="forbid")

    recipe: str
    """Name of the recipe."""
    files: dict[str, FetchedFile] = {}
    """The files by path."""


def fetch(
    recipe: Recipe,
    out: Path,
    progress: FileProgress | None = None,
    base_url: str | None = None,
    optional: bool = False,
) -> list[Path]:
    """Download the files of ``recipe`` into ``out``, check them, unpack the archives, and keep a record.

    Args:
        recipe: what to fetch.
        out: the folder, made if it is not there.
        progress: called while a file comes.
        base_url: a mirror that has the files under this address, instead of the owner's.
        optional: also the files that the recipe calls optional.

    A file of a stated size may not be larger; one without may have as many bytes as the limit ``download_bytes`` says.

    Returns:
        The downloaded files, then the unpacked ones; ``fetched.json`` beside them holds their hashes.

    Raises:
        InputError: nothing to download, a folder that cannot be written, or an archive that is not safe.
        FetchError: no network, no such address, or a file that is not what the recipe says.
    """
    if base_url is not None and not is_address(base_url):
        raise InputError(f"base_url= must be {ADDRESS} (got {base_url!r})")
    if recipe.way == "generated":
        raise InputError(f"'{recipe.name}' is generated, not downloaded: {recipe.import_line(out)}")
    if recipe.manual is not None:
        raise InputError(
            f"'{recipe.name}' has no direct address: {' '.join(recipe.manual.split())} Then: {recipe.import_line(out)}"
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: cannot be made ({error.strerror}); name another folder with out=") from None
    record = _record(recipe, out)
    fetched, unpacked = [], []
    for file in recipe.files:
        if file.optional and not optional:
            continue
        path = _inside(out, file.path)
        url = file.url if base_url is None else f"{base_url.rstrip('/')}/{quote(file.path)}"
        if not _is_right(path, file, record.files.get(file.path)):
            told = None if progress is None else partial(progress, file.path)
            download(url, path, partial(_check, file), told, file.bytes)
        record.files[file.path] = FetchedFile(
            url=url,
            bytes=path.stat().st_size,
            sha256=sha256_of(path),
            hash_published=file.sha256 is not None or file.md5 is not None,
        )
        write_json(out / RECORD, record.model_dump())
        fetched.append(path)
        if file.unpack:
            unpacked += unpack(path, path.parent)
    return fetched + unpacked


def _inside(out: Path, name: str) -> Path:
    """The place of a file; no link in the folder may lead it elsewhere."""
    path = out / name
    if not is_within(path, out):
        raise InputError(f"{path}: is a link that leads out of {out}; remove it, or name another folder with out=")
    return path


def read_record(out: Path) -> FetchRecord:
    """Read the record that :func:`fetch` left in a folder.

    Raises:
        InputError: there is none, or it is not one.
    """
    try:
        return FetchRecord.model_validate(read_json(out / RECORD))
    except ValidationError as error:
        raise InputError(f"{out / RECORD}: not a record of 'data fetch' ({error.errors()[0]['msg']})") from None


def _record(recipe: Recipe, out: Path) -> FetchRecord:
    if not (out / RECORD).exists():
        return FetchRecord(recipe=recipe.name)
    record = read_record(out)
    if record.recipe != recipe.name:
        raise InputError(f"{out} holds the files of '{record.recipe}'; name another folder with out=")
    return record


def _is_right(path: Path, file: RemoteFile, known: FetchedFile | None) -> bool:
    """Whether the file is there and as it should be, as far as the recipe or an earlier fetch can tell."""
    if not path.is_file() or (file.bytes is not None and path.stat().st_size != file.bytes):
        return False
    if _wrong_hash(path, file) is not None:
        return False
    unpublished = file.sha256 is None and file.md5 is None
    return not (unpublished and known is not None and known.sha256 != sha256_of(path))


def _check(file: RemoteFile, path: Path) -> None:
    size = path.stat().st_size
    if file.bytes is not None and size != file.bytes:
        raise FetchError(f"{file.url}: {size} bytes came, the recipe says {file.bytes}; the file was removed")
    wrong = _wrong_hash(path, file)
    if wrong is not None:
        raise FetchError(f"{file.url}: wrong hash, {wrong}; the file was removed")


def _wrong_hash(path: Path, file: RemoteFile) -> str | None:
    """What is wrong with the hash of a file, ``None`` if nothing is or none is published."""
    for name, expected in (("sha256", file.sha256), ("md5", file.md5)):
        if expected is not None:
            with path.open("rb") as stream:
                found = hashlib.file_digest(stream, name).hexdigest()
            if found != expected:
                return f"{name} is {found}, the recipe says {expected}"
    return None
