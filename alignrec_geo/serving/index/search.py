"""Search in an index of item vectors: the lists nearest to a user are looked through, the others are not."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alignrec_geo.serving.index.lists import list_bytes, read_list_of
from alignrec_geo.serving.index.package import load_faiss
from alignrec_geo.typing import Int64

BLOCK = 4096
"""Queries whose lists are chosen at once."""
FILTERED = 2
"""How many times as many items are looked through with a filter: those that pass lie further from the user."""


class ItemIndex:
    """An inverted file: vectors in half precision, in lists around centres, mapped into memory.

    Args:
        file: the lists (:func:`~alignrec_geo.serving.index.lists.write_lists`).
        centres: mean vector of each list, ``[L, D]`` float32.
        sizes: items of each list, ``[L]`` int64.
        probes: lists that are looked through for a query when every item may be found.

    Attributes:
        list_of: which list every row is in, ``[n]``.

    Raises:
        InputError: faiss is not installed, or the file does not hold what the sizes say.
    """

    def __init__(self, file: Path, centres: NDArray[np.float32], sizes: Int64, probes: int) -> None:
        self._faiss = load_faiss()
        self.centres, self.sizes, self.probes = np.ascontiguousarray(centres), sizes, min(probes, len(sizes))
        self.list_of = read_list_of(file, sizes, centres.shape[1])
        self._index = self._mapped(file)

    def __len__(self) -> int:
        return len(self.list_of)

    def search(
        self,
        queries: NDArray[np.float32],
        depth: int,
        among: NDArray[np.bool_] | None = None,
        probes: int | None = None,
    ) -> Int64:
        """Return the rows with the largest inner products, ``[b, depth]``; -1 where the lists held fewer.

        Scores are of half precision here; whoever needs exact ones, or the order among near ones, computes them.

        Args:
            queries: ``[b, D]``.
            depth: how many rows.
            among: which rows may be found, ``[n]``. The lists without such rows are passed over, and
                :data:`FILTERED` times as many allowed items are looked through as without a filter.
            probes: instead of :attr:`probes`.
        """
        faiss, wanted = self._faiss, self.probes if probes is None else min(probes, len(self.sizes))
        found = np.empty((len(queries), depth), dtype=np.int64)
        scores = np.empty((len(queries), depth), dtype=np.float32)
        if among is not None and not among.any():
            found.fill(-1)
            return found
        held = self.sizes if among is None else np.bincount(self.list_of[among], minlength=len(self.sizes))
        bits = None if among is None else np.packbits(among, bitorder="little")
        selector = None if bits is None else faiss.IDSelectorBitmap(bits)
        for first in range(0, len(queries), BLOCK):
            part = np.ascontiguousarray(queries[first : first + BLOCK], dtype=np.float32)
            lists = self._lists(part, held, wanted, among is not None)
            options = faiss.SearchParametersIVF(nprobe=lists.shape[1], sel=selector)
            place = slice(first, first + len(part))
            pointer = faiss.swig_ptr
            self._index.search_preassigned_c(
                len(part),
                pointer(part),
                depth,
                pointer(lists),
                pointer(np.zeros(lists.shape, dtype=np.float32)),
                pointer(scores[place]),
                pointer(found[place]),
                False,
                options,
            )
        return found

    def share(self, queries: NDArray[np.float32]) -> float:
        """The mean share of the items that is looked through for some queries, ``[b, D]``."""
        lists = self._lists(np.asarray(queries, dtype=np.float32), self.sizes, self.probes, False)
        return float(self.sizes[lists].sum(axis=1).mean() / max(len(self), 1)) if len(lists) else 0.0

    def _lists(self, queries: NDArray[np.float32], held: Int64, probes: int, filtered: bool) -> Int64:
        """Lists to look through, the most promising first, ``[b, p]``; -1 for none."""
        products = queries @ self.centres.T
        if not filtered:
            if probes >= products.shape[1]:
                return np.broadcast_to(np.arange(products.shape[1]), products.shape).copy()
            return np.ascontiguousarray(np.argpartition(products, -probes, axis=1)[:, -probes:].astype(np.int64))
        open_lists = np.flatnonzero(held)
        if len(open_lists) <= FILTERED * probes:
            return np.broadcast_to(open_lists, (len(queries), len(open_lists))).copy()
        order = np.argsort(-products[:, open_lists], axis=1)
        lists = open_lists[order]
        goal = FILTERED * probes * len(self.list_of) / len(self.sizes)
        before = np.cumsum(held[lists], axis=1) - held[lists]
        chosen = (before < goal) | (np.arange(lists.shape[1]) < FILTERED * probes)
        lists[~chosen] = -1
        return np.ascontiguousarray(lists[:, : int(chosen.sum(axis=1).max())])

    def _mapped(self, file: Path) -> Any:
        """The index as faiss has it: it is given addresses inside a file whose size was checked, and parses nothing."""
        faiss, (count, dim) = self._faiss, self.centres.shape
        self._stored = stored = faiss.OnDiskInvertedLists(count, 2 * dim, str(file))
        stored.read_only = True
        stored.totsize = list_bytes(len(self), dim)
        stored.lists.clear()
        place = 0
        for size in self.sizes.tolist():
            one = faiss.OnDiskOneList()
            one.size = one.capacity = size
            one.offset = place
            stored.lists.push_back(one)
            place += list_bytes(size, dim)
        if place:
            stored.do_mmap()
        self._centres = faiss.IndexFlatIP(dim)
        self._centres.add(self.centres)
        half, product = faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
        index = faiss.IndexIVFScalarQuantizer(self._centres, dim, count, half, product, False)
        index.by_residual, index.is_trained, index.ntotal = False, True, len(self)
        index.replace_invlists(stored, False)
        return index
