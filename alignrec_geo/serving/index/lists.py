"""The lists of an index on disk: half-precision vectors and row numbers, list after list, read through the page cache.

The file has no structure of its own. What says where a list begins is checked before faiss is given an address, so no
file can make it read elsewhere; faiss's own format, whose reader trusts what it reads, is used for exports alone.
"""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alignrec_geo.errors import InputError
from alignrec_geo.serving.index.clusters import Clusters
from alignrec_geo.typing import Int64


def half_scale(vectors: NDArray[np.float32]) -> float:
    """The power of two that brings the largest number of a table to 1 or below, so that halves hold all of it.

    Example:
        >>> half_scale(np.array([[3.0, -100_000.0]], dtype=np.float32)) == 2.0**-17
        True
    """
    largest = float(np.abs(vectors).max(initial=0.0))
    return 2.0 ** -math.ceil(math.log2(largest)) if largest > 0 else 1.0


def list_bytes(size: int, dim: int) -> int:
    """Bytes of a list of so many items: two for every number of a vector, eight for its row."""
    return size * (2 * dim + 8)


def write_lists(file: Path, vectors: NDArray[np.float32], clusters: Clusters) -> None:
    """Write the lists: of each the vectors ``[m, D]`` float16, then their rows ``[m]`` int64."""
    scale = np.float32(half_scale(vectors))
    order = np.argsort(clusters.list_of, kind="stable")
    sizes = np.bincount(clusters.list_of, minlength=len(clusters.centres))
    ends = np.cumsum(sizes)
    with file.open("wb") as stream:
        for first, last in zip(ends - sizes, ends, strict=True):
            rows = order[first:last].astype("<i8")
            stream.write((vectors[rows] * scale).astype("<f2").tobytes())
            stream.write(rows.tobytes())


def read_list_of(file: Path, sizes: Int64, dim: int) -> Int64:
    """Return which list every row is in, ``[n]``.

    Raises:
        InputError: the file is shorter or longer than the sizes say, or does not hold every row once.
    """
    n = int(sizes.sum())
    held = file.stat().st_size
    if held != list_bytes(n, dim):
        raise InputError(f"{file}: damaged: has {held} bytes, {list_bytes(n, dim)} are needed")
    list_of = np.full(n, -1, dtype=np.int64)
    for number, rows in enumerate(_rows(file, sizes, dim)):
        if len(rows) and not (int(rows.min()) >= 0 and int(rows.max()) < n):
            raise InputError(f"{file}: damaged: a list holds a row that is not one of {n}")
        list_of[rows] = number
    if not np.array_equal(np.bincount(list_of[list_of >= 0], minlength=len(sizes)), sizes):
        raise InputError(f"{file}: damaged: a row is in two lists, or twice in one")
    return list_of


def _rows(file: Path, sizes: Int64, dim: int) -> Iterator[Int64]:
    content = np.memmap(file, dtype=np.uint8, mode="r") if file.stat().st_size else np.empty(0, dtype=np.uint8)
    place = 0
    for size in sizes.tolist():
        place += size * 2 * dim
        yield np.frombuffer(content[place : place + 8 * size].tobytes(), dtype="<i8").astype(np.int64)
        place += 8 * size
