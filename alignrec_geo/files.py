"""Atomic writing, hashes and JSON: a reader never sees a half-written file."""

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alignrec_geo.errors import InputError
from alignrec_geo.failures import system_error
from alignrec_geo.json_text import as_object, parse_json
from alignrec_geo.reading import check_plain_file, reading
from alignrec_geo.staging import staged_file, sweep, umask


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; it replaces ``path`` when the block ends without an error.

    What earlier writes of ``path`` left there because they were killed is deleted first.

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
    sweep(path)
    with staged_file(path) as staging, naming(path):
        yield staging
        os.chmod(staging, 0o666 & ~umask())
        os.replace(staging, path)


def sha256_of(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, atomically."""
    with atomic_path(path) as staging:
        text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
        if not text.isascii() and any("\ud800" <= sign <= "\udfff" for sign in text):  # a path that is no UTF-8
            text = json.dumps(value, indent=2, allow_nan=False)
        staging.write_text(text + "\n", encoding="utf-8")


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
def naming(path: Path) -> Iterator[None]:
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


def is_within(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> bool:
    """Whether ``path`` is ``folder`` or lies in it, with all links followed."""
    if "\0" in os.fspath(path):
        return False  # no file is called so
    inner, outer = os.path.realpath(path), os.path.realpath(folder)
    return inner == outer or inner.startswith(outer.rstrip(os.sep) + os.sep)


def inside(folder: Path, *names: str) -> Path:
    """Return the path of a file or folder of a folder that may come from a stranger.

    Args:
        folder: the folder.
        names: path in it, with ``/`` between the parts; of several all are checked and the first is returned.

    Raises:
        InputError: a name or a link leads out of the folder, or to a pipe, socket or device.

    Example:
        >>> inside(Path("data"), "../secret.png")
        Traceback (most recent call last):
        alignrec_geo.errors.InputError: data/../secret.png: leads out of the folder data; refused
    """
    for name in names:
        path = folder / name
        if not is_within(path, folder):
            raise InputError(f"{path}: leads out of the folder {folder}; refused")
        try:
            mode = os.stat(path).st_mode
        except (FileNotFoundError, NotADirectoryError):
            continue
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise InputError(f"{path}: is a pipe, socket or device; refused")
    return folder / names[0]


def cache_folder() -> Path:
    """Where computed graphs are kept: ``$ALIGNREC_CACHE``, else ``alignrec_geo`` in the user's cache folder."""
    if "ALIGNREC_CACHE" in os.environ:
        return Path(os.environ["ALIGNREC_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "alignrec_geo"
