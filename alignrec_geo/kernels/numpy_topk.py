"""The best of long rows by thresholds, with numpy's vectorised selection.

On a CPU ``torch.topk`` over whole rows takes several times as long as the product that makes them. Here the maxima of
chunks of columns give a bound for the ``k`` best, few scores reach it, and only those are put in order. Scores exist in
tiles that stay in a core's cache from the product to the selection, and every thread works on its own users.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from queue import SimpleQueue
from threading import Barrier

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alignrec_geo.kernels import topk
from alignrec_geo.kernels.excluded import ExcludedPairs
from alignrec_geo.kernels.matmul import multiply
from alignrec_geo.kernels.topk import Ranking, score_blocks

BLOCK = 128
"""Users that a thread works on at once: enough for a product that reads all items."""
TILE = 8192
"""Items that it scores at once: the scores take 4 MB."""
YIELDED_SCORES = 1 << 25
"""Scores whose best are handed on at once."""
WIDE = 256
"""Tables with more columns are multiplied by all threads at once: there the product is what takes time."""
ALIKE = 16
"""So many users or fewer get the same scores, to the last bit, as each of them alone."""
SPARE, ROWS = 16, 16
"""Candidates beyond ``k``, and what their number is a multiple of."""
CLEAR = 64
"""How many times the difference of both products the rest must be below the last."""
STRIP = 2048
"""Items that are multiplied with one of them after the other, while they lie in a core's cache."""
FEW = 64
"""So many users or fewer are one block, and the items are read where they are."""
CHUNK = 16
"""Columns of a chunk at most."""
CHUNKS = 2
"""Chunks a tile has at least, times ``k + 1``."""

_LOW = 0x7FFFFFFF
_COLUMNS = 0xFFFFFFFF

Run = Callable[[Callable[[int], None], Iterable[int]], Iterable[None]]
"""``map``, or that of a pool of threads."""


def rank_users(users: Tensor, items: Tensor, rows: Tensor, k: int, excluded: ExcludedPairs | None) -> Ranking:
    """Backend ``numpy`` of ``topk``: product and selection tile by tile (arguments as for the backend ``torch``)."""
    few, total = len(rows) <= FEW, len(items)
    width = _chunk(total, k)
    if len(rows) == 1 and width and users.dtype == torch.float32:
        yield rows, *_best_of_one(users[rows[0]], items, k, width, excluded)
        return
    if 0 < len(rows) <= ALIKE and users.dtype == torch.float32:
        block = max(1, topk.BLOCK_SCORES // max(total, 1))
        for first in range(0, len(rows), block):
            chosen = rows[first : first + block]
            hidden = None if excluded is None else excluded.block(first, first + len(chosen))
            yield chosen, *_best_alike(users[chosen], items, k, hidden)
        return
    if users.dtype != torch.float32 or not width:
        yield from topk.rank_users(users, items, rows, k, excluded)
        return
    threads = 1 if few else torch.get_num_threads()
    with _threads(threads) as run:
        if few or items.shape[1] > WIDE:
            for chosen, scores in score_blocks(users, items, rows, excluded):
                yield chosen, *threshold_top_k(scores, k, run)
            return
        tiles = [(first, items[first:last].T.contiguous()) for first, last in _tiles(total, k)]
        borders = _even(len(rows), -(-len(rows) // BLOCK))
        buffers: SimpleQueue[Tensor] = SimpleQueue()
        for _ in range(threads):
            buffers.put(users.new_empty(BLOCK * max(tile.shape[1] for _, tile in tiles)))
        value, column = np.empty((len(rows), k), dtype=np.float32), np.empty((len(rows), k), dtype=np.int64)

        def work(number: int) -> None:
            start, end = borders[number], borders[number + 1]
            table, buffer = users[rows[start:end]], buffers.get()
            seen = None if excluded is None else excluded.block(start, end)
            scored = ((first, scores_of(table, tile, buffer, seen, first).numpy()) for first, tile in tiles)
            value[start:end], column[start:end] = _select(scored, end - start, k, width)
            buffers.put(buffer)

        step = max(1, YIELDED_SCORES // (BLOCK * total))
        for start in range(0, len(borders) - 1, step):
            end = min(start + step, len(borders) - 1)
            for _ in run(work, range(start, end)):
                pass
            part = slice(borders[start], borders[end])
            yield rows[part], torch.from_numpy(value[part]), torch.from_numpy(column[part])


def _best_of_one(
    user: Tensor, items: Tensor, k: int, width: int, excluded: ExcludedPairs | None
) -> tuple[Tensor, Tensor]:
    """The same for a single user ``[D]``, in as few calls as there can be: ``[1, k]`` each.

    The product streams all items through the cache; what is called after it finds nothing there, and costs several
    times what it costs elsewhere. numpy's product of a matrix and a vector takes less time than torch's.
    """
    scores = items.numpy() @ user.numpy()
    if excluded is not None:
        scores[excluded.item.numpy()] = -np.inf
    chunks = len(scores) // width
    maxima = scores[: chunks * width].reshape(width, chunks).max(axis=0)
    maxima.partition(chunks - k - 1)
    column = np.flatnonzero(scores >= maxima[chunks - k - 1])
    reached = scores[column]
    order = np.argsort(-reached, kind="stable")[:k]  # of equal scores the lower column stays first
    return torch.from_numpy(reached[order])[None], torch.from_numpy(column[order])[None]


def _best_alike(users: Tensor, items: Tensor, k: int, hidden: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor]:
    """The same for a few users ``[b, D]``, with the product of :func:`_best_of_one` for each: ``[b, k]`` each.

    A product of matrices adds up in another order than one of a matrix and a vector. So that nobody's scores depend on
    who else asks, the product of matrices, which takes a fraction of the time, only finds candidates: some more than
    ``k``, whose scores are computed again as for one user. Where the rest is not clearly below them (ties, say), all
    scores are.
    """
    count = -(-(k + SPARE) // ROWS) * ROWS
    if len(items) >= 4 * count:
        found = _hide(multiply(users, items.T, users.new_empty(len(users), len(items))), hidden)
        near, columns = threshold_top_k(found, count)
        best = [
            _again(*row, items.numpy(), k) for row in zip(users.numpy(), near.numpy(), columns.numpy(), strict=True)
        ]
        clear = [one for one in best if one is not None]
        if len(clear) == len(best):
            value, column = (np.stack(each) for each in zip(*clear, strict=True))
            return torch.from_numpy(value), torch.from_numpy(column)
    return threshold_top_k(_hide(_one_by_one(users, items), hidden), k)


def _again(
    user: NDArray[np.float32], near: NDArray[np.float32], columns: NDArray[np.int64], items: NDArray[np.float32], k: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]] | None:
    """The best of some candidates by the product for one user; ``None`` if others may be as good."""
    order = np.argsort(columns)
    columns, near = columns[order], near[order]
    scores = items[columns] @ user  # a multiple of ROWS: the rest of a block is added up in another order
    best = np.argsort(-scores, kind="stable")[:k]
    margin = CLEAR * float(np.abs(scores - near).max())
    clear = bool(np.isfinite(near).all()) and float(scores[best[-1]]) - float(near.min()) > margin
    return (scores[best], columns[best]) if clear else None


def _one_by_one(users: Tensor, items: Tensor) -> Tensor:
    """Scores ``[b, I]``: every user multiplied alone, strip by strip of the items, which come from memory once."""
    table, queries = items.numpy(), users.numpy()
    scores = np.empty((len(queries), len(table)), dtype=np.float32)
    for first in range(0, len(table), STRIP):
        strip = table[first : first + STRIP]
        for row, query in enumerate(queries):
            np.dot(strip, query, out=scores[row, first : first + STRIP])
    return torch.from_numpy(scores)


def _hide(scores: Tensor, hidden: tuple[Tensor, Tensor] | None) -> Tensor:
    if hidden is not None:
        place, item = hidden
        scores.view(-1).index_fill_(0, place * scores.shape[1] + item, -torch.inf)
    return scores


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
    width = _chunk(scores.shape[1], k)
    if scores.dtype != torch.float32 or not width:
        return topk.top_k(scores, k)
    table, tiles = scores.numpy(), _tiles(scores.shape[1], k)
    value, column = np.empty((len(table), k), dtype=np.float32), np.empty((len(table), k), dtype=np.int64)

    def work(first: int) -> None:
        part = slice(first, min(first + BLOCK, len(table)))
        scored = ((start, table[part, start:end]) for start, end in tiles)
        value[part], column[part] = _select(scored, part.stop - first, k, width)

    for _ in run(work, range(0, len(table), BLOCK)):
        pass
    return torch.from_numpy(value), torch.from_numpy(column)


def scores_of(users: Tensor, items: Tensor, buffer: Tensor, seen: tuple[Tensor, Tensor] | None, first: int) -> Tensor:
    """Scores ``[b, t]`` of users ``[b, D]`` for a tile of items ``[D, t]`` that begins with the item ``first``."""
    count, width = len(users), items.shape[1]
    out = buffer[: count * width].view(count, width)
    out = multiply(users, items, out)
    if seen is not None:
        place, item = seen
        inside = (item >= first) & (item < first + width)
        out.view(-1).index_fill_(0, place[inside] * width + item[inside] - first, -torch.inf)
    return out


def _chunk(columns: int, k: int) -> int:
    """Columns of a chunk, so that a row has enough of them; 0 where it is too short."""
    width = min(CHUNK, columns // (2 * CHUNKS * (k + 1))) if k > 0 else 0
    return width if width > 1 else 0


def _tiles(columns: int, k: int) -> list[tuple[int, int]]:
    """Where tiles of about :data:`TILE` columns begin and end, none with too few chunks."""
    most = columns // (CHUNK * CHUNKS * (k + 1))
    borders = _even(columns, max(1, min(-(-columns // TILE), most)))
    return list(pairwise(borders))


def _even(count: int, parts: int) -> list[int]:
    """Borders of so many parts of nearly the same size."""
    return [count * number // parts for number in range(parts + 1)]


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


def _select(
    tiles: Iterable[tuple[int, NDArray[np.float32]]], count: int, k: int, width: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The best of some rows: at least ``k + 1`` scores of a row reach the ``k + 1``-th largest maximum of its chunks.

    The bound rises from tile to tile. A score and its column become one number, the score's bits in an order-preserving
    form above the inverted column: no two are equal, and among equal scores the lower column wins.
    """
    largest = np.empty((count, 0), dtype=np.float32)  # the k + 1 largest maxima so far
    number, filled, found = np.arange(count + 1), np.zeros(count, dtype=np.int64), []
    for first, scores in tiles:
        columns = scores.shape[1]
        chunks = columns // width
        # chunk c holds the columns c, c + chunks, c + 2 chunks …: their maxima are those of long vectors
        maxima = scores[:, : chunks * width].reshape(count, width, chunks).max(axis=1)
        largest = np.concatenate([largest, maxima], axis=1)
        rest = largest.shape[1] - k - 1
        largest.partition(rest, axis=1)
        largest = largest[:, rest:]
        place = np.flatnonzero(scores >= largest[:, :1])
        start = np.searchsorted(place, number * columns)
        reaching = np.diff(start)
        row = np.repeat(number[:-1], reaching)
        column = place - row * columns
        reached = scores[row, column] + np.float32(0.0)  # -0 becomes 0
        key = _flipped(reached.view(np.int32)).astype(np.int64) << 32
        key |= _COLUMNS - (first + column)
        found.append((row, np.arange(len(place)) + (filled - start[:-1])[row], key))
        filled += reaching
    longest = int(filled.max())
    keys = np.full((count, longest), np.iinfo(np.int64).min)
    for row, place, key in found:
        keys[row, place] = key
    keys.partition(longest - k, axis=1)
    best = np.sort(keys[:, longest - k :], axis=1)[:, ::-1]
    return _flipped((best >> 32).astype(np.int32)).view(np.float32), _COLUMNS - (best & _COLUMNS)


def _flipped(bits: NDArray[np.int32]) -> NDArray[np.int32]:
    """Bits of float32 numbers as integers of the same order, and back: negative ones have their low bits flipped."""
    return bits ^ ((bits >> 31) & _LOW)
