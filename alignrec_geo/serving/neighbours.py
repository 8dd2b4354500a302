"""Items like an item, users like a user: the largest cosines of their vectors."""

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from torch import Tensor

from alignrec_geo.dataset.manifest import DATA_SET
from alignrec_geo.dataset.rows_by_id import RowsById
from alignrec_geo.errors import InputError
from alignrec_geo.serving.asked import asked_series
from alignrec_geo.serving.bulk import Names, block_size, ranked_columns
from alignrec_geo.serving.candidates import Candidates
from alignrec_geo.serving.frame_stream import FrameStream
from alignrec_geo.serving.index.chosen import chosen_ranking
from alignrec_geo.serving.index.search import ItemIndex
from alignrec_geo.serving.prepared import Prepared
from alignrec_geo.serving.ranking import own_rows
from alignrec_geo.serving.rules import Rules
from alignrec_geo.typing import Int64

POLICIES = ("error", "skip")


class Neighbours:
    """Finds the rows of a table that are closest to some vectors, by cosine.

    Args:
        queries: the vectors that are asked with, at length 1, ``[Q, D]``.
        table: those that are found, at length 1, ``[n, D]``; row ``r`` of both is the same for ``r < min(Q, n)``, and
            is never found for itself.
        allowed: rows of the table that may be found; ``None`` for all.
        index: of the table, if it is to be searched.
        other: which rows have another vector than the index has, ``[n]`` bool; ``None`` for none.
    """

    def __init__(
        self,
        queries: Tensor,
        table: Tensor,
        allowed: Int64 | None = None,
        index: ItemIndex | None = None,
        other: NDArray[np.bool_] | None = None,
    ) -> None:
        self._ranking, self._size = chosen_ranking(index, queries, table, allowed, other), len(table)

    def of(self, rows: Int64, k: int) -> tuple[NDArray[np.floating], Int64]:
        """Return cosines and rows, ``[b, k]`` each, the closest first; minus infinity where there are fewer.

        Args:
            rows: of the vectors that are asked with, ``[b]``.
            k: how many.
        """
        return self._ranking.best(rows, k, own_rows(rows, self._size))


def among_items(model: Prepared, queries: Candidates, candidates: Candidates, allowed: Int64 | None) -> Neighbours:
    """What finds the candidates that are closest to some items, by the index if the tables came with one."""
    index = None if model.indexes is None else model.indexes.similar
    return Neighbours(queries.unit_vectors, candidates.unit_vectors, allowed, index, candidates.by_content)


def similar_items(model: Prepared, items: Any, k: int, unknown: str, include_cold: bool, rules: Rules) -> FrameStream:
    """See :meth:`alignrec_geo.serving.TopItems.similar_all`."""
    candidates, queries = model.candidates(include_cold), model.item_queries(include_cold)
    ids = queries.rows
    given, names = (ids.ids, ids.ids) if items is None else asked_series(items, "items")
    allowed, notes = rules.allowed(candidates)
    found = among_items(model, queries, candidates, allowed)
    namer = Names(candidates, model.whole_item_ids)
    given = Names(queries, model.whole_item_ids).columns(np.arange(len(queries)))["item"] if items is None else given

    def frame(asked: pl.Series, scores: NDArray[np.floating], columns: Int64) -> pl.DataFrame:
        row, rank, score, item = ranked_columns(scores, columns)
        named = namer.columns(item)
        return pl.DataFrame(
            {
                "item": asked.gather(row),
                "rank": rank,
                "similar_item": named["item"],
                "title": named["title"],
                "score": score,
                **namer.marks(item, popular=False),
            }
        )

    return _stream(model, found, len(candidates), ids, given, names, k, unknown, frame, notes)


def similar_users(model: Prepared, users: Any, k: int, unknown: str) -> FrameStream:
    """See :meth:`alignrec_geo.serving.TopItems.similar_users`."""
    given, names = (model.user_ids, model.users.ids) if users is None else asked_series(users, "users")
    found = Neighbours(model.unit_users, model.unit_users)

    def frame(asked: pl.Series, scores: NDArray[np.floating], columns: Int64) -> pl.DataFrame:
        row, rank, score, user = ranked_columns(scores, columns)
        return pl.DataFrame(
            {"user": asked.gather(row), "rank": rank, "similar_user": model.user_ids.gather(user), "score": score}
        )

    return _stream(model, found, len(model.unit_users), model.users, given, names, k, unknown, frame, [])


def _stream(
    model: Prepared,
    found: Neighbours,
    size: int,
    ids: RowsById,
    given: pl.Series,
    names: pl.Series,
    k: int,
    unknown: str,
    frame: Callable[..., pl.DataFrame],
    notes: list[str],
) -> FrameStream:
    if unknown not in POLICIES:
        raise InputError(f"unknown must be one of {', '.join(POLICIES)} (got {unknown!r:.80})")
    rows = ids.many(names)
    known = rows >= 0
    if len(rows) and not (known.all() if unknown == "error" else known.any()):
        raise model.unknown(ids, names[int((~known).argmax())])
    block = block_size(size, k)

    def answer(first: int, last: int) -> pl.DataFrame:
        places = first + np.flatnonzero(known[first:last])
        return frame(given.gather(places), *(found.of(rows[places], k) if len(places) else none))

    none = np.empty((0, 1), np.float32), np.empty((0, 1), np.int64)
    schema = frame(given.head(0), *none).schema
    left_out = given.filter(pl.Series(~known))
    return FrameStream(answer, len(rows), block, schema, left_out, notes, DATA_SET.files(model.dataset.path))
