"""One boundary for reading files: whatever a decoder raises becomes one :class:`InputError` that names the file."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alignrec_geo.errors import InputError

LONGEST = 200
"""Characters of a decoder's own message that are shown."""


@contextmanager
def reading(label: object, kind: str) -> Iterator[None]:
    """Turn every failure of the block into one :class:`InputError`: ``LABEL: not a readable KIND, or damaged (why)``.

    Decoders of damaged files raise nearly anything: their own errors, ``KeyError``, ``OverflowError``,
    ``RecursionError``, ``MemoryError``, and the panics of Rust code, which are no ``Exception``. An
    :class:`InputError` passes as it is, and so do Ctrl-C and ``SystemExit``.

    Args:
        label: the file (or what else is read), first in the message.
        kind: what it should be: ``parquet file``, ``image``.

    Raises:
        InputError: the block failed.

    Example:
        >>> with reading("a.npy", ".npy file"):
        ...     raise KeyError("descr")
        Traceback (most recent call last):
        alignrec_geo.errors.InputError: a.npy: not a readable .npy file, or damaged (KeyError: 'descr')
    """
    try:
        yield
    except (InputError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except FileNotFoundError:
        raise InputError(f"{label}: no such file") from None
    except PermissionError:
        raise InputError(f"{label}: no permission to read it") from None
    except IsADirectoryError:
        raise InputError(f"{label}: is a folder; a {kind} is needed") from None
    except MemoryError:
        raise InputError(f"{label}: not a readable {kind}, or too large for this machine's memory") from None
    except RecursionError:
        raise InputError(f"{label}: not a readable {kind}: it is nested too deeply") from None
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise InputError(f"{label}: not a readable {kind}, or damaged ({first_line(error)})") from None


def first_line(error: BaseException) -> str:
    """What an error says, on one line of moderate length, with its type where the message alone says little.

    Example:
        >>> first_line(KeyError("x")), first_line(ValueError("bad header\\nat byte 3"))
        ("KeyError: 'x'", 'bad header at byte 3')
    """
    bare = not str(error).strip() or isinstance(error, LookupError | AttributeError | AssertionError)
    return typed_line(error) if bare else _shortened(str(error))


def typed_line(error: BaseException) -> str:
    """The same with its type in any case: for errors of code that somebody else wrote.

    Example:
        >>> typed_line(KeyError("x")), typed_line(ValueError("bad header\\nat byte 3")), typed_line(MemoryError())
        ("KeyError: 'x'", 'ValueError: bad header at byte 3', 'MemoryError')
    """
    return _shortened(f"{type(error).__name__}: {error}" if str(error).strip() else type(error).__name__)


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def as_path(path: Any, kind: str = "folder") -> Path:
    """Return what was given as a path.

    Raises:
        InputError: it is no path.

    Example:
        >>> as_path("runs/a").name
        'a'
    """
    if not isinstance(path, str | os.PathLike) or isinstance(path, bytes):
        raise InputError(f"the path of a {kind} is needed (got {path!r:.80})")
    return Path(path)


def check_plain_file(path: Path, kind: str = "file") -> Path:
    """Return ``path`` if it is a plain file (or a link to one).

    Raises:
        InputError: it is missing, a folder, or a pipe, socket or device, which could block for ever or never end.
    """
    with reading(path, kind):
        mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise InputError(f"{path}: is a folder; a {kind} is needed")
    if not stat.S_ISREG(mode):
        raise InputError(f"{path}: is a pipe, socket or device; a {kind} is needed")
    return path
