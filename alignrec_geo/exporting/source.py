"""What is exported: the tables of a run with their ids."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from alignrec_geo.dataset.ids import in_given_type
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.files import inside
from alignrec_geo.serving.cold import NeighbourMean
from alignrec_geo.serving.ranking import Ranking
from alignrec_geo.serving.recommend import TopItems
from alignrec_geo.serving.store import load_top_items
from alignrec_geo.training.run_config import RunConfig
from alignrec_geo.training.run_files import CONFIG
from alignrec_geo.training.update import data_set_of
from alignrec_geo.typing import Int64

EQUAL = 1e-6
"""Scores this close, as a share of the largest, are equal."""
CHECKED = 200
"""Users whose items are compared after an export was read back."""
TEXTS = ("text", "image")
"""Columns of the items that stay behind: long texts, and names of files that are not exported."""


@dataclass(frozen=True)
class Source:
    """A run that is exported.

    Args:
        run: the run folder.
        include_cold: with the items of ``embed``.
        moved: the data set that the run was trained on, if it was moved.
    """

    run: Path
    include_cold: bool = False
    moved: Path | None = None

    @cached_property
    def top(self) -> TopItems:
        """The tables."""
        return load_top_items(self.run, self.include_cold)

    @cached_property
    def config(self) -> RunConfig | None:
        """The settings of the run; ``None`` for tables that were saved without."""
        file = inside(self.run, CONFIG)
        return RunConfig.load(file, trust=True) if file.exists() else None  # no model is built

    @property
    def features(self) -> list[str]:
        """The feature matrices that the run was trained with."""
        return [] if self.config is None else list(self.config.features or [])

    @cached_property
    def data(self) -> Dataset:
        """The data set that the run was trained on, with its features."""
        if self.config is None:
            raise InputError(f"{self.run}: holds tables and ids alone; of what content they were made is not known")
        return data_set_of(self.run, self.config, self.moved)

    def rule(self) -> NeighbourMean:
        """The rule that gives an item a vector by its content.

        Raises:
            InputError: the run has no features, or its data set is not there.
        """
        if not self.features:
            raise InputError(
                f"{self.run}: was trained on ids alone, so there is no item encoder to export: it knows nothing of the "
                "content of items"
            )
        return NeighbourMean(self.top.embeddings, self.data, self.features)

    @cached_property
    def users(self) -> NDArray[np.float32]:
        """Vectors of the users, ``[U, D]``."""
        return self.top.embeddings.users.float().numpy()

    @cached_property
    def items(self) -> NDArray[np.float32]:
        """Vectors of the items, ``[n, D]``."""
        return self.top.candidates(self.include_cold).vectors.float().numpy()

    def user_table(self) -> pl.DataFrame:
        """Ids of the users, and whether they have a training interaction."""
        return pl.DataFrame({"id": self.top.user_ids, "trained": self.top.trained_users})

    def item_table(self) -> pl.DataFrame:
        """Ids, titles and further columns of the items, and whether they have a training interaction."""
        candidates = self.top.candidates(self.include_cold)
        table = candidates.table.drop(TEXTS, strict=False)
        ids = in_given_type(table["id"], self.top.whole_item_ids)
        cold = [] if not self.include_cold else [pl.Series("by_content", candidates.by_content)]
        table = table.drop("trained", "vector", "by_content", strict=False)  # a column of the items may be called so
        return table.with_columns(ids, pl.Series("trained", ~candidates.cold), *cold)

    @cached_property
    def checked_users(self) -> Int64:
        """Users that are compared when an export is read back: spread over the table."""
        trained = np.flatnonzero(self.top.trained_users)
        rows = trained if len(trained) else np.arange(len(self.users))
        places = np.linspace(0, len(rows) - 1, min(CHECKED, len(rows)))
        return rows[np.unique(places.astype(np.int64))] if len(rows) else rows

    def exact(self, k: int) -> tuple[NDArray[np.floating], Int64]:
        """Scores and rows of the best items of the checked users, of all items."""
        ranking = Ranking(torch.from_numpy(self.users), torch.from_numpy(self.items))
        return ranking.best(self.checked_users, k)

    def compared(self, scores: Any, rows: Any, k: int) -> dict[str, float]:
        """Compare what an export gives the checked users with the exact ranking.

        An item counts as the same if its score is one of the best ``k``: equal ones may stand for each other.

        Args:
            scores: ``[b, k]``.
            rows: of the items, ``[b, k]``.
            k: how many.
        """
        wanted, best = self.exact(k)
        scale = max(float(np.abs(wanted).max(initial=0.0)), 1e-30)
        found = np.asarray(rows, dtype=np.int64)
        true = np.einsum("bkd,bd->bk", self.items[found], self.users[self.checked_users])
        distinct = (np.diff(np.sort(found, axis=1), axis=1) > 0).all() and found.min(initial=0) >= 0
        same = (true >= wanted[:, -1:] - EQUAL * scale) & distinct
        return {
            "users": len(best),
            "k": k,
            "same_items": round(float(np.mean(same)), 5) if same.size else 1.0,
            "largest_score_difference": float(np.abs(np.asarray(scores) - wanted).max(initial=0.0)) / scale,
        }
