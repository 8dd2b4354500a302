"""Arrays that take long to fill: written chunk by chunk into memory-mapped files, continued after an interruption."""

import errno
import hashlib
import logging
import math
import os
import shutil
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from alignrec_geo.errors import InputError
from alignrec_geo.files import cache_folder, read_json, write_json
from alignrec_geo.locks import Lock
from alignrec_geo.reading import check_plain_file

logger = logging.getLogger(__name__)

CHUNK = 256
"""Items between two commits: what an interruption costs at most."""
SCHEMA = 1
STATE = "state.json"


class ArraySpec(NamedTuple):
    """Shape and type of one array."""

    shape: tuple[int, ...]
    dtype: str


class TokenCache:
    """Named arrays over ``n`` items in a folder, each a memory-mapped ``.npy`` file.

    What is not committed counts as not written. Made by :func:`open_token_cache`.

    Args:
        folder: holds the arrays and ``state.json``; ``None`` keeps the arrays in memory and stores nothing.
        arrays: shape and type by name.
        n_items: how many items there are to do.
    """

    def __init__(self, folder: Path | None, arrays: Mapping[str, ArraySpec], n_items: int) -> None:
        self.folder = folder
        self._n_items = n_items
        self._specs = dict(arrays)
        self.done = 0
        self.notes: dict[str, str] = {}
        self.arrays: dict[str, NDArray[Any]]
        if folder is None:
            self.arrays = {name: np.zeros(spec.shape, dtype=spec.dtype) for name, spec in arrays.items()}
            return
        if not self._resume(folder):
            self._make(folder)
        mode = "r" if self.complete else "r+"
        self.arrays = {name: _open(folder / f"{name}.npy", spec, mode) for name, spec in arrays.items()}

    @property
    def complete(self) -> bool:
        """Whether every item is done."""
        return self.done == self._n_items

    def remaining(self) -> Iterator[range]:
        """The chunks of items still to be done, in order."""
        for start in range(self.done, self._n_items, CHUNK):
            yield range(start, min(start + CHUNK, self._n_items))

    def commit(self, done: int, notes: Mapping[str, str]) -> None:
        """Put what was written on disk and say that items below ``done`` are finished.

        Args:
            done: number of finished items.
            notes: what went wrong with items of this chunk, by external id.
        """
        self.done, self.notes = done, {**self.notes, **notes}
        if self.folder is None:
            return
        try:
            for array in self.arrays.values():
                if isinstance(array, np.memmap):
                    array.flush()
            self._write_state(self.folder)
        except OSError as error:
            _warn(self.folder, error.strerror)
            self.folder = None  # the arrays are whole in memory; only their files are not

    def _resume(self, folder: Path) -> bool:
        """Go on where the folder stands; false if there is nothing that fits, or it is damaged."""
        try:
            state = read_json(folder / STATE)
            done, notes = state["done"], dict(state["notes"])
            if (state["schema"], state["items"]) != (SCHEMA, self._n_items):
                return False
            if type(done) is not int or done not in range(self._n_items + 1):
                return False
            if not all(isinstance(text, str) for pair in notes.items() for text in pair):
                return False
            for name, spec in self._specs.items():
                _open(folder / f"{name}.npy", spec, "r")
        except Exception:  # whatever a damaged file makes its reader say
            return False
        self.done, self.notes = done, notes
        return True

    def _make(self, folder: Path) -> None:
        (folder / STATE).unlink(missing_ok=True)
        needed, free = _bytes(self._specs), shutil.disk_usage(folder).free
        if needed > free:  # a memory-mapped file that outgrows the disk would end the process without a word
            told = f"it takes {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are free"
            raise OSError(errno.ENOSPC, told)
        for name, spec in self._specs.items():
            path = folder / f"{name}.npy"
            path.unlink(missing_ok=True)  # a link would be followed
            if math.prod(spec.shape):
                np.lib.format.open_memmap(path, mode="w+", dtype=np.dtype(spec.dtype), shape=spec.shape)
                _reserve(path)
            else:
                np.save(path, np.zeros(spec.shape, dtype=spec.dtype))
        self._write_state(folder)

    def _write_state(self, folder: Path) -> None:
        state = {"schema": SCHEMA, "items": self._n_items, "done": self.done, "notes": self.notes}
        write_json(folder / STATE, state)


@contextmanager
def open_token_cache(
    root: Path | None, kind: str, key: Iterable[str], arrays: Mapping[str, ArraySpec], n_items: int
) -> Iterator[TokenCache]:
    """Open the cache of what ``key`` names, and keep other processes out of it meanwhile.

    A cache that cannot be written is one warning: the arrays are then in memory, and lost afterwards.

    Args:
        root: folder of all caches; :func:`~alignrec_geo.files.cache_folder` if not given.
        kind: ``image`` or ``text``.
        key: everything that decides the content: the encoder's fingerprint, ids and hashes of what is encoded.
        arrays: shape and type by name.
        n_items: number of items.

    Raises:
        InputError: another process is filling it, or neither the disk nor the memory is large enough.
    """
    digest = hashlib.sha256(kind.encode())
    for part in key:
        digest.update(part.encode() + b"\0")
    with ExitStack() as held:
        folder: Path | None = None
        try:
            folder = (cache_folder() if root is None else root) / f"tokens-{kind}" / digest.hexdigest()
            folder.mkdir(parents=True, exist_ok=True)
            lock = Lock.attempt(folder / "lock")  # the system lets go of it when the process ends
            if lock is None:
                raise InputError(f"{folder}: another process is filling this cache; wait until it is done")
            held.callback(lock.release)
            store = TokenCache(folder, arrays, n_items)
        except (OSError, RuntimeError) as error:  # RuntimeError: there is no home folder
            store = _without(folder, arrays, n_items, getattr(error, "strerror", None) or str(error))
        yield store


def _without(folder: Path | None, arrays: Mapping[str, ArraySpec], n_items: int, why: str) -> TokenCache:
    """The finished cache in a folder that cannot be written, else one in memory."""
    if folder is not None and (folder / STATE).exists():
        try:
            store = TokenCache(folder, arrays, n_items)
        except OSError:
            pass
        else:
            if store.complete:
                return store
    needed, memory = _bytes(arrays), os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > memory / 2:
        raise InputError(
            f"{folder}: the token cache cannot be written ({why}), and its {needed / 1e9:.1f} GB are too much for the "
            "memory; name another folder with cache="
        )
    _warn(folder, why)
    return TokenCache(None, arrays, n_items)


def _warn(folder: Path | None, why: str | None) -> None:
    _warn_once(None if folder is None else folder.parent.parent, why)


@cache
def _warn_once(root: Path | None, why: str | None) -> None:
    """Images and texts have a cache each; what is wrong with their folder is said once."""
    logger.warning("warning: %s: the token cache cannot be written (%s); going on without it", root, why)


def _bytes(arrays: Mapping[str, ArraySpec]) -> int:
    return sum(math.prod(spec.shape) * np.dtype(spec.dtype).itemsize for spec in arrays.values())


def _reserve(path: Path) -> None:
    """Take the room of a file on disk, which is sparse as made: a write that finds none would end the process."""
    with path.open("r+b") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
                raise


def _open(path: Path, spec: ArraySpec, mode: Any) -> NDArray[Any]:
    """Open one array; a file that does not fit its shape and type is refused with ``ValueError``."""
    check_plain_file(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a header in the spelling of Python 2, which none of ours is
        array: NDArray[Any] = np.load(path, mmap_mode=mode if math.prod(spec.shape) else None, allow_pickle=False)
    if array.shape != tuple(spec.shape) or array.dtype != np.dtype(spec.dtype):
        raise ValueError(f"{path}: shape {array.shape}, type {array.dtype}")
    return array
