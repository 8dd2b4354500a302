"""The scores of given pairs of user and item."""

from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from alignrec_geo.dataset.ids import id_series
from alignrec_geo.dataset.readers.frames import frame_table
from alignrec_geo.dataset.readers.rows import Table, shown
from alignrec_geo.errors import InputError
from alignrec_geo.serving.prepared import Prepared
from alignrec_geo.serving.request import POLICIES
from alignrec_geo.serving.results import CONTENT, MODEL, POPULAR
from alignrec_geo.typing import Int64

BLOCK = 1 << 17
"""Pairs whose vectors are gathered at once."""
ADDED = ("score", "source")


def score_pairs(
    model: Prepared, pairs: Any, user: str, item: str, unknown: str, include_cold: bool
) -> tuple[pl.DataFrame, int]:
    """See :meth:`alignrec_geo.serving.TopItems.score`; also returns how many rows were left out."""
    if unknown not in POLICIES:
        raise InputError(f"unknown must be one of {', '.join(POLICIES)} (got {unknown!r:.80})")
    table = pairs if isinstance(pairs, Table) else frame_table(pairs, "pairs", [user, item])
    candidates = model.candidates(include_cold)
    rows = [known.many(_ids(table, name)) for known, name in ((model.users, user), (candidates.rows, item))]
    taken = next((name for name in ADDED if name in table.frame.columns), None)
    if taken is not None:
        raise InputError(f"{table.label}: has a column '{taken}' already; drop or rename it")
    known_user, known_item = (rows[0] >= 0) & model.trained_users[rows[0]], rows[1] >= 0
    known = known_user & known_item
    if unknown == "error" and not known.all():
        place = int((~known).argmax())
        kind, name = ("item", item) if known_user[place] else ("user", user)
        raise InputError(
            f"{table.label}: {table.where(place)}: {kind} {shown(table.frame[name][place])} is not in data set "
            f"'{model.dataset.name}', or has no training interaction; unknown='skip' leaves such rows out"
        )
    score = np.where(known_item, candidates.popularity.cpu().numpy()[rows[1]], 0).astype(np.float32)
    score[known] = _products(model, candidates.vectors, rows[0][known], rows[1][known])
    source = np.where(known, np.where(candidates.by_content[rows[1]], 1, 0), 2)
    named = pl.Series("source", [MODEL, CONTENT, POPULAR]).gather(source)
    scored = table.frame.with_columns(pl.Series("score", score), named)
    if unknown == "popular":
        return scored, 0
    return scored.filter(pl.Series(known)), int((~known).sum())


def _ids(table: Table, name: str) -> pl.Series:
    """Ids as text; a row without one is one of an unknown user or item."""
    return id_series(table.column(name), f"{table.label}: column '{name}'").fill_null("")


def _products(model: Prepared, vectors: torch.Tensor, user: Int64, item: Int64) -> NDArray[np.float32]:
    scores = np.empty(len(user), dtype=np.float32)
    for first in range(0, len(user), BLOCK):
        part = slice(first, first + BLOCK)
        rows = (torch.from_numpy(side[part]).to(vectors.device) for side in (user, item))
        left, right = (table[chosen] for table, chosen in zip((model.embeddings.users, vectors), rows, strict=True))
        scores[part] = torch.linalg.vecdot(left, right).float().cpu().numpy()
    return scores
