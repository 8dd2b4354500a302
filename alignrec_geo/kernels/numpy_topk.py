"""The best of long rows by thresholds, with numpy's vectorised selection.

On a CPU ``torch.topk`` over whole rows takes several times as long as the product that makes them. Here the maxima of
chunks of columns give a bound for the ``k`` best, few scores reach it, and only those are put in order. Blocks are so
small that scores stay in a core's cache from the product to the selection, and every thread works on its own.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Barrier

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alignrec_geo.kernels.excluded import ExcludedPairs
from alignrec_geo.kernels.topk import Ranking, fill_scores, score_blocks, top_k

BLOCK_SCORES = 1 << 19
"""Scores that a thread holds at once: 2 MB of float32."""
YIELDED_SCORES = 1 << 25
"""Scores whose best are handed on at once."""
WIDE = 256
"""Tables with more columns are multiplied by all threads at once: there the product is what takes time."""
FEW = 64
"""So many users or fewer are one block, and the items are read where they are."""
ROWS = 64
"""Rows that are selected from at once."""
CHUNK = 16
"""Columns of a chunk at most."""
CHUNKS = 4
"""Chunks there should be at least, times ``k``."""

_LOW = 0x7FFFFFFF
_COLUMNS = 0xFFFFFFFF

Run = Callable[[Callable[[int], None], Iterable[int]], Iterable[None]]
"""``map``, or that of a pool of threads."""


def rank_users(users: Tensor, items: Tensor, rows: Tensor, k: int, excluded: ExcludedPairs | None) -> Ranking:
    """Backend ``numpy`` of ``topk``: product and :func:`threshold_top_k` (arguments as for the backend ``torch``)."""
    few, wide = len(rows) <= FEW, items.shape[1] > WIDE
    threads = 1 if few else torch.get_num_threads()
    with _threads(threads) as run:
        if few or wide:
            for chosen, scores in score_blocks(users, items, rows, excluded):
                yield chosen, *threshold_top_k(scores, k, run)
            return
        columns, total, best = items.T.contiguous(), len(items), min(k, len(items))
        blocks = -(-len(rows) * total // BLOCK_SCORES)
        borders = [len(rows) * number // blocks for number in range(blocks + 1)]
        buffers: SimpleQueue[Tensor] = SimpleQueue()
        for _ in range(threads):
            buffers.put(users.new_empty(-(-len(rows) // blocks), total))
        value, column = users.new_empty(len(rows), best), torch.empty(len(rows), best, dtype=torch.long)

        def work(number: int) -> None:
            first, last = borders[number], borders[number + 1]
            buffer = buffers.get()
            scores = fill_scores(buffer[: last - first], users[rows[first:last]], columns, excluded, first)
            value[first:last], column[first:last] = threshold_top_k(scores, k)
            buffers.put(buffer)

        step = max(1, YIELDED_SCORES // BLOCK_SCORES)
        for start in range(0, blocks, step):
            end = min(start + step, blocks)
            for _ in run(work, range(start, end)):
                pass
            part = slice(borders[start], borders[end])
            yield rows[part], value[part], column[part]


def threshold_top_k(scores: Tensor, k: int, run: Run = map) -> tuple[Tensor, Tensor]:
    """The same as :func:`alignrec_geo.kernels.topk.top_k`, in less time where rows are long.

    Other types than float32, and rows that are not several times as long as ``k``, go there.

    Args:
        scores: ``[B, I]`` on a CPU, no NaN.
        k: how many; all ``I`` if there are fewer.
        run: calls a function for each of several numbers.

    Returns:
        Values ``[B, k]``, sorted downwards, and columns ``[B, k]``; among equal scores the lower column first.

    Example:
        >>> import torch
        >>> threshold_top_k(torch.arange(1000.0).remainder(7)[None], 3)[1].tolist()
        [[6, 13, 20]]
    """
    width = min(CHUNK, scores.shape[1] // (CHUNKS * (k + 1)))
    if scores.dtype != torch.float32 or k < 1 or width < 2:
        return top_k(scores, k)
    table = scores.contiguous().numpy()
    value, column = np.empty((len(table), k), dtype=np.float32), np.empty((len(table), k), dtype=np.int64)

    def work(first: int) -> None:
        part = slice(first, first + ROWS)
        value[part], column[part] = _select(table[part], k, width)

    for _ in run(work, range(0, len(table), ROWS)):
        pass
    return torch.from_numpy(value), torch.from_numpy(column)


@contextmanager
def _threads(count: int) -> Iterator[Run]:
    """Threads that each have one of torch's: numpy and torch let go of the interpreter while they work on a block."""
    if count == 1:
        yield map
        return
    started = Barrier(count + 1)

    def begin() -> None:
        torch.set_num_threads(1)  # of this thread, and of those that are started after it
        started.wait()

    with ThreadPoolExecutor(count, initializer=begin) as pool:
        for _ in range(count):
            pool.submit(int)
        started.wait()
        torch.set_num_threads(count)
        yield pool.map


def _select(scores: NDArray[np.float32], k: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The best of some rows: at least ``k + 1`` scores of a row reach the ``k + 1``-th largest maximum of its chunks.

    A score and its column become one number, the score's bits in an order-preserving form above the inverted column:
    no two are equal, and among equal scores the lower column wins.
    """
    count, columns = scores.shape
    chunks = columns // width
    # chunk c holds the columns c, c + chunks, c + 2 chunks …: their maxima are those of long vectors
    maxima = scores[:, : chunks * width].reshape(count, width, chunks).max(axis=1)
    maxima.partition(chunks - k - 1, axis=1)
    place = np.flatnonzero(scores >= maxima[:, chunks - k - 1, None])
    start = np.searchsorted(place, np.arange(count + 1) * columns)
    found = np.diff(start)
    row = np.repeat(np.arange(count), found)
    reached = scores.reshape(-1)[place] + np.float32(0.0)  # -0 becomes 0
    key = _flipped(reached.view(np.int32)).astype(np.int64) << 32
    key |= _COLUMNS - (place - row * columns)
    longest = int(found.max())
    keys = np.full((count, longest), np.iinfo(np.int64).min)
    keys[row, np.arange(len(place)) - start[row]] = key
    keys.partition(longest - k, axis=1)
    best = keys[:, longest - k :]
    best.sort(axis=1)
    best = best[:, ::-1]
    return _flipped((best >> 32).astype(np.int32)).view(np.float32), _COLUMNS - (best & _COLUMNS)


def _flipped(bits: NDArray[np.int32]) -> NDArray[np.int32]:
    """Bits of float32 numbers as integers of the same order, and back: negative ones have their low bits flipped."""
    return bits ^ ((bits >> 31) & _LOW)
