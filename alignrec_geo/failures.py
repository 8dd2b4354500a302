"""Failures of the machine as one line: a full disk, no permission, no memory, whoever notices it first."""

import errno
import os
import re

from alignrec_geo.memory import gpu_memory
from alignrec_geo.reading import first_line

ADVICE = {
    errno.ENOSPC: "free some space, or name a folder on another disk",
    errno.EDQUOT: "your quota is used up; free some space, or name a folder on another disk",
    errno.EFBIG: "files may not grow so large here; see 'ulimit -f'",
    errno.EACCES: "check the permissions, or name another folder",
    errno.EPERM: "check the permissions, or name another folder",
    errno.EROFS: "name a folder on another disk",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EMFILE: "raise the limit with 'ulimit -n'",
    errno.ENFILE: "too many files are open on this machine",
    errno.EIO: "the disk or the network drive has a fault",
    errno.ELOOP: "the links lead round in a circle",
    errno.ESTALE: "the network drive was changed meanwhile; run the command again",
    errno.EXDEV: "name a folder on the same disk",
    errno.EAGAIN: "too many processes or threads run; see 'ulimit -u'",
    errno.ENOMEM: "use smaller settings (batch_size, dim), or a machine with more memory",
}
"""What to do, by the system's number of the error."""

STAGING = re.compile(r"(^|/)\.([^/]+)\.[a-z0-9_]{8}\.(part|old)(?=/|$)")
"""A path that is being written: ``folder/.NAME.k3f9x2ab.part`` becomes ``folder/NAME``."""
_NUMBER = re.compile(r"\(os error (\d+)\)|\[Errno (\d+)\]")
_SAID = {
    "no space left on device": errno.ENOSPC,
    "database or disk is full": errno.ENOSPC,
    "file too large": errno.EFBIG,
    "disk i/o error": errno.EIO,
    "readonly database": errno.EROFS,
    "unable to open database file": errno.EACCES,
    "too many open files": errno.EMFILE,
    "read-only file system": errno.EROFS,
    "can't start new thread": errno.EAGAIN,
    "can't allocate memory": errno.ENOMEM,
    "cannot allocate memory": errno.ENOMEM,
    "out of memory": errno.ENOMEM,
}
"""What libraries say in words of their own."""


def machine_failure(error: BaseException) -> str | None:
    """Say in one line what the machine lacked, and what to do; ``None`` for every other error.

    Libraries in C++ and Rust report a full disk or missing memory as errors of their own, which are recognised by
    the number of the system's error, or by their words.

    Args:
        error: what was raised.

    Example:
        >>> machine_failure(OSError(28, "No space left on device", "runs/a/.last.k3f9x2ab.part"))
        'runs/a/last: No space left on device; free some space, or name a folder on another disk'
        >>> machine_failure(KeyError("x")) is None
        True
    """
    if isinstance(error, MemoryError):
        return _memory(error)
    if isinstance(error, RecursionError):
        return "something is nested too deeply for this program"
    if isinstance(error, OSError):
        names = [STAGING.sub(r"\1\2", os.fsdecode(name)) for name in _names(error)]
        said = error.strerror or first_line(error)
        if error.errno == errno.ENOENT and not names:  # what getcwd says, of all calls
            said = "the current folder is no longer there; change to another"
        return _line(" and ".join(dict.fromkeys(names)), said, error.errno)
    if isinstance(error, RuntimeError) and "home directory" in str(error):
        return "this user has no home folder; set HOME, or XDG_CACHE_HOME for the cache"
    number = system_error(error)
    if number == errno.ENOMEM:
        return _memory(error)
    return None if number is None else _line("", os.strerror(number), number)


def system_error(error: BaseException) -> int | None:
    """The number of the system's error that an error of a library reports; ``None`` if it reports none."""
    home = type(error).__module__.partition(".")[0]
    if home == "alignrec_geo":  # said on purpose, also where it quotes another error
        return None
    text = str(error)
    if found := _NUMBER.search(text):
        return int(found.group(1) or found.group(2))
    if home == "builtins" and not isinstance(error, RuntimeError | ValueError):
        return None
    words = text.lower()
    return next((number for said, number in _SAID.items() if said in words), None)


def _names(error: OSError) -> list[str | bytes]:
    return [name for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]


def _line(name: str, said: str, number: int | None) -> str:
    advice = ADVICE.get(number or 0)
    return (f"{name}: " if name else "") + said + (f"; {advice}" if advice else "")


def _memory(error: BaseException) -> str:
    if said := gpu_memory(error, "batch_size or dim"):
        return said
    wanted = re.search(r"(?:allocate|allocate:) ([\d.]+ ?(?:bytes|[KMGTPE]i?B))", str(error))
    much = f" (needed {_size(wanted.group(1))} at once)" if wanted else ""
    return f"not enough memory{much}; {ADVICE[errno.ENOMEM]}"


def _size(text: str) -> str:
    """``12345678900 bytes`` as ``12.3 GB``."""
    number, _, unit = text.partition(" ")
    return f"{float(number) / 1e9:,.1f} GB" if unit == "bytes" else text
