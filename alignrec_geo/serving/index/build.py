"""An index of a table of items, with as many lists looked through as its recall asks for."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alignrec_geo.randomness import child_generator
from alignrec_geo.serving.index.clusters import cluster, list_count
from alignrec_geo.serving.index.lists import write_lists
from alignrec_geo.serving.index.ranking import CALIBRATED as CALIBRATED
from alignrec_geo.serving.index.ranking import IndexRanking
from alignrec_geo.serving.index.search import ItemIndex
from alignrec_geo.serving.items_by_user import ItemsByUser
from alignrec_geo.serving.ranking import Pairs, Ranking, own_rows
from alignrec_geo.typing import Int64

TARGET = 0.99
"""Recall that the number of probes is raised to."""
MARGIN = 0.002
"""By how much more it is raised on the queries that choose, so that others reach it too."""
QUERIES = 500
"""Queries that choose the number of probes, and as many others that the recall is measured on."""
TIMED = 100
"""Requests that are timed, one at a time, in turns with exact ones."""


@dataclass(frozen=True)
class Built:
    """An index, and what was measured.

    Args:
        index: ready to be searched.
        recall: share of the exact best :data:`CALIBRATED` items that it finds, on queries that chose nothing.
        queries: how many these were.
        build_seconds: how long it took.
        milliseconds: median of one request on this machine, by the index and exactly.
    """

    index: ItemIndex
    recall: float
    queries: int
    build_seconds: float
    milliseconds: dict[str, float]


def build_index(
    file: Path,
    items: Tensor,
    queries: Tensor,
    rows: Int64,
    seen: ItemsByUser | None = None,
    target: float = TARGET,
    lists: int | None = None,
    seed: int = 0,
) -> Built:
    r"""Cut a table into lists, write them, and look through as many of them as the recall asks for.

    About :math:`4 \sqrt n` lists are made by k-means (:func:`~alignrec_geo.serving.index.clusters.cluster`). The
    number of lists that are looked through is the smallest at which some queries find ``target`` of their exact best 50
    items, what they have seen left out. The recall that is kept is that of other queries. The same table and seed give
    the same index on one machine with one number of threads.

    Args:
        file: the lists are written there.
        items: ``[n, D]``.
        queries: vectors that will be asked with, users or items, ``[Q, D]``.
        rows: of the queries that may be taken for measuring, ``[q]``.
        seen: items that are hidden from every query; ``None`` hides a query's own row, as among similar items.
        target: recall.
        lists: how many; chosen by the number of items if not given.
        seed: of k-means and the choice of queries.

    Raises:
        InputError: faiss is not installed.
    """
    started = time.perf_counter()
    items, queries = items.float().cpu().contiguous(), queries.float().cpu()
    table = items.numpy()
    clusters = cluster(table, list_count(len(table)) if lists is None else lists, seed)
    write_lists(file, table, clusters)
    sizes = np.bincount(clusters.list_of, minlength=len(clusters.centres))
    index = ItemIndex(file, clusters.centres, sizes, probes=1)
    order = torch.randperm(len(rows), generator=child_generator(seed, "index queries")).numpy()
    sample = rows[order[: 2 * QUERIES]]
    halves = (sample[::2], sample[1::2]) if len(sample) > 1 else (sample, sample)
    choosing, measuring = (Trial(index, queries, items, half, seen) for half in halves)
    index.probes = fewest_probes(choosing, len(sizes), min(1.0, target + MARGIN))
    recall = measuring.recall(index.probes)
    took = time.perf_counter() - started
    return Built(index, recall, len(measuring.rows), took, measuring.milliseconds())


class Trial:
    """Some queries with their exact answers."""

    def __init__(self, index: ItemIndex, queries: Tensor, items: Tensor, rows: Int64, seen: ItemsByUser | None) -> None:
        self.rows, self._index, self._seen, self._size = rows, index, seen, len(items)
        self._by_index, self._exactly = IndexRanking(index, queries, items), Ranking(queries, items)
        scores, best = self._exactly.best(rows, CALIBRATED, self._hidden(rows))
        self._best = np.where(np.isneginf(scores), -1, best)

    def _hidden(self, rows: Int64) -> list[Pairs]:
        return own_rows(rows, self._size) if self._seen is None else [self._seen.of_rows(rows)]

    def recall(self, probes: int) -> float:
        """Share of the exact best items that are found with so many probes."""
        self._index.probes = probes
        scores, found = self._by_index.best(self.rows, CALIBRATED, self._hidden(self.rows), complete=False)
        return overlap(np.where(np.isneginf(scores), -2, found), self._best)

    def milliseconds(self) -> dict[str, float]:
        """Median time of one request, the two ways in turns."""
        ways: dict[str, Ranking | IndexRanking] = {"index": self._by_index, "exact": self._exactly}
        spent: dict[str, list[float]] = {name: [] for name in ways}
        for row in self.rows[:TIMED]:
            one = np.array([row])
            for name, way in ways.items():
                started = time.perf_counter()
                way.best(one, CALIBRATED, self._hidden(one))
                spent[name].append(1000 * (time.perf_counter() - started))
        return {name: float(np.median(values)) if values else 0.0 for name, values in spent.items()}


def overlap(found: NDArray[np.int64], wanted: NDArray[np.int64]) -> float:
    """Share of the wanted rows that were found; negative ones are none.

    Example:
        >>> overlap(np.array([[3, 1], [2, 5]]), np.array([[1, 3], [4, -1]]))
        0.6666666666666666
    """
    size = max(int(found.max(initial=0)), int(wanted.max(initial=0))) + 1
    place = np.arange(len(wanted))[:, None] * size
    there = wanted >= 0
    hits = np.isin((place + wanted)[there], (place + found)[found >= 0])
    return float(hits.mean()) if len(hits) else 1.0


def fewest_probes(trial: Trial, lists: int, target: float) -> int:
    """The fewest probes that reach a recall; all lists if none does."""
    high = 1
    while high < lists and trial.recall(high) < target:
        high = min(2 * high, lists)
    low = high // 2
    while high - low > max(1, high // 16):
        middle = (low + high) // 2
        low, high = (low, middle) if trial.recall(middle) >= target else (middle, high)
    return high
