"""Search among titles and ids, by words: an index that is made once, so that a request does not read every title."""

from bisect import bisect_left
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alignrec_geo.typing import Int64

WORD = r"[\p{L}\p{N}]+"
LAST = "\U0010ffff"
"""Comes after every letter."""


class WordIndex:
    """Finds rows whose texts hold all words of a query, the most popular first.

    A word of the query fits every word that begins with it; if too few rows are found so, every word that contains it.
    Case, accents and the width of letters do not count (NFKD, without marks).

    Args:
        texts: one per row; null for none.
        popularity: what orders the results, ``[n]``; at equal values the lower row comes first.

    Example:
        >>> index = WordIndex(pl.Series(["Blue Mug", "Mug, café au lait", "Smuggler", None]), np.array([1, 5, 9, 0]))
        >>> index.find("mug", 2).tolist(), index.find("CAFE mu", 9).tolist(), index.find("mug", 9).tolist()
        ([1, 0], [1], [1, 0, 2])
    """

    def __init__(self, texts: pl.Series, popularity: NDArray[Any]) -> None:
        self._order = np.argsort(-popularity.astype(np.float64), kind="stable")  # place to row
        words = (
            pl.LazyFrame({"text": texts.gather(self._order)})
            .select(place=pl.int_range(pl.len(), dtype=pl.Int32), word=plain(pl.col("text")).str.extract_all(WORD))
            .explode("word")
            .drop_nulls()
            .unique()
            .sort("word", "place")
            .collect()
        )
        self._place = words["place"].to_numpy()
        runs = words["word"].rle()
        self._words: pl.Series = runs.struct.field("value")
        self._sorted: list[str] = self._words.to_list()
        counts = runs.struct.field("len").to_numpy().astype(np.int64)
        self._start = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts)])

    def __len__(self) -> int:
        return len(self._order)

    def first(self, limit: int) -> Int64:
        """Return the most popular rows."""
        return self._order[:limit]

    def find(self, query: str, limit: int) -> Int64:
        """Return rows that fit, the best ``limit`` of them; none for a query without a letter or digit."""
        asked = pl.Series([query]).to_frame("text").select(plain(pl.col("text")).str.extract_all(WORD)).item().to_list()
        words = list(dict.fromkeys(asked))
        if not words:
            return np.empty(0, dtype=np.int64)
        found = self._places([self._beginning(word) for word in words])
        if len(found) < limit:
            wider = self._places([self._holding(word) for word in words])
            found = np.concatenate([found, np.setdiff1d(wider, found, assume_unique=True)])
        rows: Int64 = self._order[found[:limit]]
        return rows

    def _beginning(self, word: str) -> list[tuple[int, int]]:
        """The range of words that begin with one."""
        return [(bisect_left(self._sorted, word), bisect_left(self._sorted, word + LAST))]

    def _holding(self, word: str) -> list[tuple[int, int]]:
        """Ranges of the words that contain one."""
        which = self._words.str.contains(word, literal=True).arg_true().to_list()
        return [(number, number + 1) for number in which]

    def _places(self, each: list[list[tuple[int, int]]]) -> Int64:
        """Places that have a word in some of the ranges, for each of the words asked for; ascending."""
        kept: NDArray[np.bool_] | None = None
        for ranges in each:
            has = np.zeros(len(self), dtype=np.bool_)
            for first, last in ranges:
                has[self._place[self._start[first] : self._start[last]]] = True
            kept = has if kept is None else kept & has
        assert kept is not None
        return np.flatnonzero(kept)


def plain(text: pl.Expr) -> pl.Expr:
    """A text as it is compared: compatible forms in one, no accents, in lower case."""
    return text.str.normalize("NFKD").str.replace_all(r"\p{M}", "").str.to_lowercase()
