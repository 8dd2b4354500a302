"""Arrays that take long to fill: written chunk by chunk into memory-mapped files, continued after an interruption."""

import fcntl
import hashlib
import math
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from alignrec_geo.errors import InputError
from alignrec_geo.files import read_json, write_json
from alignrec_geo.graph.item_knn import cache_folder

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
        folder: holds the arrays and ``state.json``.
        arrays: shape and type by name.
        n_items: how many items there are to do.
    """

    def __init__(self, folder: Path, arrays: Mapping[str, ArraySpec], n_items: int) -> None:
        self.folder = folder
        self._n_items = n_items
        self._specs = dict(arrays)
        self.done = 0
        self.notes: dict[str, str] = {}
        if not self._resume():
            self._make()
        mode = "r" if self.complete else "r+"
        self.arrays: dict[str, NDArray[Any]] = {
            name: _open(folder / f"{name}.npy", spec, mode) for name, spec in arrays.items()
        }

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
        for array in self.arrays.values():
            if isinstance(array, np.memmap):
                array.flush()
        self.done, self.notes = done, {**self.notes, **notes}
        self._write_state()

    def _resume(self) -> bool:
        """Go on where the folder stands; false if there is nothing that fits, or it is damaged."""
        try:
            state = read_json(self.folder / STATE)
            if (state["schema"], state["items"]) != (SCHEMA, self._n_items):
                return False
            for name, spec in self._specs.items():
                _open(self.folder / f"{name}.npy", spec, "r")
            self.done, self.notes = int(state["done"]), dict(state["notes"])
        except (InputError, OSError, ValueError, KeyError, TypeError):
            return False
        return True

    def _make(self) -> None:
        (self.folder / STATE).unlink(missing_ok=True)
        needed = sum(math.prod(spec.shape) * np.dtype(spec.dtype).itemsize for spec in self._specs.values())
        free = shutil.disk_usage(self.folder).free
        if needed > free:  # a memory-mapped file that outgrows the disk would end the process without a word
            raise InputError(
                f"{self.folder}: the token cache takes {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are free; name "
                "another folder with --cache"
            )
        for name, spec in self._specs.items():
            if math.prod(spec.shape):
                path = self.folder / f"{name}.npy"
                np.lib.format.open_memmap(path, mode="w+", dtype=np.dtype(spec.dtype), shape=spec.shape)
            else:
                np.save(self.folder / f"{name}.npy", np.zeros(spec.shape, dtype=spec.dtype))
        self._write_state()

    def _write_state(self) -> None:
        state = {"schema": SCHEMA, "items": self._n_items, "done": self.done, "notes": self.notes}
        write_json(self.folder / STATE, state)


@contextmanager
def open_token_cache(
    root: Path | None, kind: str, key: Iterable[str], arrays: Mapping[str, ArraySpec], n_items: int
) -> Iterator[TokenCache]:
    """Open the cache of what ``key`` names, and keep other processes out of it meanwhile.

    Args:
        root: folder of all caches; :func:`~alignrec_geo.graph.item_knn.cache_folder` if not given.
        kind: ``image`` or ``text``.
        key: everything that decides the content: the encoder's fingerprint, ids and hashes of what is encoded.
        arrays: shape and type by name.
        n_items: number of items.

    Raises:
        InputError: another process is filling it, or the disk is too small.
    """
    digest = hashlib.sha256(kind.encode())
    for part in key:
        digest.update(part.encode() + b"\0")
    folder = (cache_folder() if root is None else root) / f"tokens-{kind}" / digest.hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the system lets go of it when the process ends
        except OSError:
            raise InputError(f"{folder}: another process is filling this cache; wait until it is done") from None
        yield TokenCache(folder, arrays, n_items)


def _open(path: Path, spec: ArraySpec, mode: Any) -> NDArray[Any]:
    """Open one array; a file that does not fit its shape and type is refused with ``ValueError``."""
    array: NDArray[Any] = np.load(path, mmap_mode=mode if math.prod(spec.shape) else None, allow_pickle=False)
    if array.shape != tuple(spec.shape) or array.dtype != np.dtype(spec.dtype):
        raise ValueError(f"{path}: shape {array.shape}, type {array.dtype}")
    return array
