"""Recommendations for many users: blocks of users, each ranked, named and handed on."""

from typing import Any

import numpy as np
import polars as pl

from alignrec_geo.dataset.ids import in_given_type
from alignrec_geo.dataset.manifest import DATA_SET
from alignrec_geo.serving.asked import asked_series
from alignrec_geo.serving.candidates import Candidates
from alignrec_geo.serving.frame_stream import FrameStream
from alignrec_geo.serving.prepared import Prepared
from alignrec_geo.serving.request import Answer, Request
from alignrec_geo.serving.results import CONTENT, MODEL, POPULAR
from alignrec_geo.serving.rules import Rules
from alignrec_geo.typing import Int64

BLOCK_SCORES = 1 << 31
"""Scores computed for a block, though never held at once: some seconds of work. Smaller blocks copy the items' vectors
into the order of the product more often."""
BLOCK_ROWS = 1 << 19
"""Rows of a frame at most."""
MOST_USERS = 1 << 14
SOURCES = pl.Series([MODEL, CONTENT, POPULAR])


def recommend_all(model: Prepared, users: Any, k: int, unknown: str, include_cold: bool, rules: Rules) -> FrameStream:
    """See :meth:`alignrec_geo.serving.TopItems.recommend_all`."""
    given, names = (model.user_ids, model.users.ids) if users is None else asked_series(users, "users")
    request = Request(model, names, model.users.many(names), k, unknown, include_cold, rules)
    size = block_size(len(request.candidates), k)
    namer = Names(request.candidates, model.whole_item_ids)

    def answer(first: int, last: int) -> pl.DataFrame:
        return _frame(given, *request.answer(first, last), namer)

    def key() -> str:
        return request.fingerprint(given, *namer.columns(np.arange(len(request.candidates))).values())

    empty = _frame(given, np.empty(0, np.int64), _no_answer(), namer)
    left_out = given.filter(pl.Series(~request.answered))
    inputs = DATA_SET.files(model.dataset.path)
    return FrameStream(answer, len(request), size, empty.schema, left_out, request.notes, inputs, key)


def block_size(n_items: int, k: int) -> int:
    """How many rankings are made at once.

    Example:
        >>> block_size(200_000, 20), block_size(100, 1000)
        (10737, 5242)
    """
    return max(1, min(MOST_USERS, BLOCK_SCORES // max(n_items, 1), BLOCK_ROWS // min(k, max(n_items, 1))))


class Names:
    """External ids and titles of items by their rows.

    Args:
        candidates: the items.
        whole_ids: whether their ids once were whole numbers; they are given back as such if all are.
    """

    def __init__(self, candidates: Candidates, whole_ids: bool) -> None:
        self._ids, self._candidates = in_given_type(candidates.table["id"], whole_ids), candidates
        self._titles = candidates.table["title"]

    def columns(self, items: Int64) -> dict[str, pl.Series]:
        """Ids and titles of some rows."""
        return {"item": self._ids.gather(items), "title": self._titles.gather(items)}

    def marks(self, items: Int64, popular: Any) -> dict[str, pl.Series]:
        """Where the scores of some rows come from, and which items are cold."""
        source = np.where(popular, 2, self._candidates.by_content[items])
        return {"source": SOURCES.gather(source), "cold": pl.Series(self._candidates.cold[items])}


def ranked_columns(scores: Any, items: Int64) -> tuple[Int64, pl.Series, pl.Series, Int64]:
    """Flatten rankings, what is at minus infinity left out: the row of each, its rank, its score and its item.

    Args:
        scores: ``[b, k]``, sorted downwards.
        items: ``[b, k]``.
    """
    count, k = scores.shape
    row, rank = np.repeat(np.arange(count), k), np.tile(np.arange(1, k + 1), count)
    kept = np.isfinite(scores).ravel()
    flat_scores, flat_items = scores.ravel(), items.ravel()
    if not kept.all():
        row, rank, flat_scores, flat_items = row[kept], rank[kept], flat_scores[kept], flat_items[kept]
    return row, pl.Series(rank), pl.Series(flat_scores.astype(np.float32, copy=False)), flat_items


def _frame(given: pl.Series, places: Int64, answer: Answer, names: Names) -> pl.DataFrame:
    row, rank, score, item = ranked_columns(answer.scores, answer.items)
    found = names.columns(item)
    marks = names.marks(item, answer.popular[row])
    return pl.DataFrame({"user": given.gather(places[row]), "rank": rank, **found, "score": score, **marks})


def _no_answer() -> Answer:
    return Answer(np.empty((0, 1), np.float32), np.empty((0, 1), np.int64), np.empty(0, np.bool_))
