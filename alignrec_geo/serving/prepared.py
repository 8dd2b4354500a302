"""What answers to requests are made from, made once: no request works through all users or all interactions."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from alignrec_geo.dataset.ids import ITEM_IDS, USER_IDS, WHOLE_NUMBERS, in_given_type
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.dataset.rows_by_id import RowsById
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.embeddings import Embeddings, fitting
from alignrec_geo.errors import InputError, UnknownId
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.serving.candidates import Candidates
from alignrec_geo.serving.cold import ColdItems
from alignrec_geo.serving.index.chosen import chosen_ranking
from alignrec_geo.serving.index.ranking import IndexRanking
from alignrec_geo.serving.index.store import Indexes
from alignrec_geo.serving.items_by_user import ItemsByUser
from alignrec_geo.serving.ranking import Ranking
from alignrec_geo.typing import Int64


class Prepared:
    """Two embedding tables, the data set they belong to, and look-up tables, each made when it is first needed.

    Args:
        embeddings: ``users [U, D]`` and ``items [I, D]``.
        dataset: ids, titles and seen items.
        cold_items: items without a training interaction, with vectors from their content.
        fold_in: gives users vectors from what they interacted with, ``[B, I]`` to ``[B, D]``; for baskets.
        indexes: of the items, to be searched instead of scoring all of them.

    Raises:
        InputError: the tables do not fit the data set, or the indexes are of other tables or the tables on a GPU.
    """

    def __init__(
        self,
        embeddings: Embeddings,
        dataset: Dataset,
        cold_items: ColdItems | None = None,
        fold_in: Callable[[CSR], Tensor] | None = None,
        indexes: Indexes | None = None,
    ) -> None:
        given: Any = dataset
        if not isinstance(given, Dataset):
            raise InputError(f"a Dataset is needed for ids and seen items (got a {type(given).__name__})")
        pairs = dataset.interactions
        self.embeddings = fitting(embeddings, pairs.n_users, pairs.n_items)
        self.dataset = dataset
        self.cold_items = cold_items
        self.fold_in = fold_in
        self.indexes = indexes
        if indexes is not None:
            indexes.check(self.embeddings.items)

    def candidates(self, include_cold: bool) -> Candidates:
        """The items that are ranked.

        Raises:
            InputError: ``include_cold`` without cold items.
        """
        return self._everything if include_cold else self.trained

    @cached_property
    def trained(self) -> Candidates:
        """The items of the data set, by the trained table."""
        return Candidates.trained(self.embeddings, self.dataset)

    @cached_property
    def _everything(self) -> Candidates:
        if self.cold_items is None:
            raise InputError("no vectors of cold items; make them with 'alignrec-geo embed RUN'")
        return self.trained.with_cold(self.cold_items)

    def ranking(self, users: Tensor, candidates: Candidates, allowed: Int64 | None = None) -> Ranking | IndexRanking:
        """What ranks the candidates for some users, by the index if the tables came with one.

        Args:
            users: ``[U, D]``.
            candidates: the items.
            allowed: rows of those that may be ranked, ascending; ``None`` for all.
        """
        index = None if self.indexes is None else self.indexes.recommend
        return chosen_ranking(index, users, candidates.vectors, allowed, candidates.by_content)

    def item_queries(self, include_cold: bool) -> Candidates:
        """What items can be asked with: the candidates, and after them cold items that the data set does not know."""
        known = self.candidates(include_cold)
        return known if include_cold or self.cold_items is None else self._asked_with

    @cached_property
    def _asked_with(self) -> Candidates:
        return self.trained.and_beyond(self._everything)

    @cached_property
    def unit_users(self) -> Tensor:
        """The users' vectors at length 1: ``[U, D]``."""
        return F.normalize(self.embeddings.users, dim=1)

    @cached_property
    def users(self) -> RowsById:
        """Row numbers of users by external id."""
        return RowsById(self.dataset.users["id"])

    @cached_property
    def seen(self) -> ItemsByUser:
        """What each user has interacted with, in any split."""
        pairs = self.dataset.interactions
        return ItemsByUser.of(pairs.user, pairs.item, pairs.n_users)

    @cached_property
    def trained_users(self) -> NDArray[np.bool_]:
        """Which users have a training interaction, or a history that they were folded in by, ``[U]``."""
        known = self.dataset.interactions.of(Split.TRAIN, Split.HISTORY)
        trained: NDArray[np.bool_] = known.user_degree() > 0
        return trained

    @cached_property
    def anybody(self) -> Tensor:
        """A table of one user, whose scores are those of a column: ``[1, 1]``."""
        return torch.ones(1, 1, dtype=self.embeddings.items.dtype, device=self.embeddings.items.device)

    @cached_property
    def user_ids(self) -> pl.Series:
        """External ids of all users, as whole numbers if they were given as such."""
        return in_given_type(self.dataset.users["id"], self.dataset.source.get(USER_IDS) == WHOLE_NUMBERS)

    def unknown(self, ids: RowsById, name: str, hint: str = "") -> UnknownId:
        """The error for an id that is not there."""
        kind = "user" if ids is self.users else "item"
        examples = ", ".join(f"'{known}'" for known in ids.ids.head(3).to_list())
        return UnknownId(
            f"unknown {kind} '{name}' in data set '{self.dataset.name}'; known are for example {examples}{hint}"
        )

    @property
    def whole_item_ids(self) -> bool:
        """Whether the data set's item ids were whole numbers when they were given."""
        return self.dataset.source.get(ITEM_IDS) == WHOLE_NUMBERS
