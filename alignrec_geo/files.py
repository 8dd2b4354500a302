"""Atomic writing, hashes and JSON: a reader never sees a half-written file or folder."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alignrec_geo.errors import InputError
from alignrec_geo.failures import system_error
from alignrec_geo.json_text import as_object, parse_json
from alignrec_geo.reading import check_plain_file, reading


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; it replaces ``path`` when the block ends without an error.

    Example:
        >>> from pathlib import Path
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "numbers.txt"
        >>> with atomic_path(target) as staging:
        ...     _ = staging.write_text("1 2 3")
        >>> target.read_text()
        '1 2 3'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    staging = Path(name)
    try:
        with _named(path):
            yield staging
            os.chmod(staging, 0o666 & ~_umask())
            os.replace(staging, path)
    finally:
        staging.unlink(missing_ok=True)


@contextmanager
def atomic_directory(path: Path, overwrite: bool = False) -> Iterator[Path]:
    """Yield an empty staging folder beside ``path``; it becomes ``path`` when the block ends without an error.

    Args:
        path: the folder to make.
        overwrite: replace an existing folder; otherwise a non-empty one is an error.

    Raises:
        InputError: ``path`` is a file, or a non-empty folder and ``overwrite`` is false.
    """
    if path.exists() and not path.is_dir():
        raise InputError(f"{path} is a file; a folder is to be written there")
    if path.is_dir() and not overwrite and any(path.iterdir()):
        raise InputError(f"{path} already exists and is not empty; name another folder or pass --overwrite")
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part"))
    try:
        os.chmod(staging, 0o777 & ~_umask())
        yield staging
        if path.is_dir():
            retired = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".old"))
            os.replace(path, retired)
            os.replace(staging, path)
            shutil.rmtree(retired)
        else:
            os.replace(staging, path)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def sha256_of(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, atomically."""
    with atomic_path(path) as staging:
        staging.write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        InputError: the file is missing, no plain file, or not JSON (see :func:`~alignrec_geo.json_text.parse_json`).
    """
    check_plain_file(path, "JSON file")
    with reading(path, "JSON file"):
        text = path.read_text(encoding="utf-8-sig")
    return parse_json(text, path)


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Raises:
        InputError: as :func:`read_json`, or it holds something else.
    """
    return as_object(read_json(path), path)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Say which file a failure belongs to: that of a full disk comes without a name, or as an error of a library."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
    except Exception as error:
        number = system_error(error)
        if number is None:
            raise
        raise OSError(number, os.strerror(number), str(path)) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
