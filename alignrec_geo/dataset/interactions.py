"""Who interacted with what: the table every model is trained from, in row numbers."""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alignrec_geo.errors import InputError
from alignrec_geo.typing import Int64

Times = NDArray[np.int64] | NDArray[np.float64]


class Split(IntEnum):
    """The part of the data an interaction belongs to; the numbers are the field's ``x_label``."""

    UNUSED = -1
    TRAIN = 0
    VALIDATION = 1
    TEST = 2
    HISTORY = 3
    """What is known of a user whom the model was not trained on (rule ``cold-users``)."""

    @property
    def label(self) -> str:
        """The name people read: ``train``, ``validation``, ``test``, ``history``, ``unused``."""
        return self.name.lower()

    @classmethod
    def parse(cls, name: str) -> "Split":
        """Return the split called ``name``.

        Raises:
            InputError: the name is none of ``train``, ``validation``, ``test``.
        """
        for split in EVALUATED:
            if name == split.label:
                return split
        raise InputError(f"unknown split (got '{name}'); allowed: {', '.join(s.label for s in EVALUATED)}")


OPTIONAL = ("timestamp", "rating", "weight")
"""Columns that not every data set has."""
EVALUATED = (Split.TRAIN, Split.VALIDATION, Split.TEST)


@dataclass(frozen=True)
class Interactions:
    """Unique user-item pairs with the split each belongs to.

    Args:
        user: row number of the user, ``[E]``.
        item: row number of the item, ``[E]``.
        split: :class:`Split` of every pair, ``[E]`` int8.
        n_users: number of users ``U``, those without a pair included.
        n_items: number of items ``I``, those without a pair included.
        timestamp: optional time of the interaction, ``[E]`` int64 or, with fractions, float64; any unit that orders.
        rating: optional rating, ``[E]`` float32.
        weight: optional weight in training, above 0, ``[E]`` float32.

    Raises:
        InputError: lengths differ, a row number is out of range, a time, rating or weight is NaN or infinite, a weight
            is not above 0, or a pair is given twice.
    """

    user: Int64
    item: Int64
    split: NDArray[np.int8]
    n_users: int
    n_items: int
    timestamp: Times | None = None
    rating: NDArray[np.float32] | None = None
    weight: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        for name in ("item", "split", *OPTIONAL):
            column = getattr(self, name)
            if column is not None and len(column) != len(self.user):
                raise InputError(f"{name} has {len(column)} rows, user has {len(self.user)}")
        for name, column, bound in (("user", self.user, self.n_users), ("item", self.item, self.n_items)):
            if not isinstance(column, np.ndarray) or (column.dtype.kind not in "iu" and len(column)):
                given = getattr(column, "dtype", type(column).__name__)
                raise InputError(f"{name} rows must be an array of whole numbers (got {given})")
            if len(column) and (column.min() < 0 or column.max() >= bound):
                raise InputError(f"{name} rows must lie in 0..{bound - 1} (got {column.min()}..{column.max()})")
        for name in OPTIONAL:
            column = getattr(self, name)
            if column is not None and column.dtype.kind == "f" and not np.isfinite(column).all():
                row = int(np.flatnonzero(~np.isfinite(column))[0])
                raise InputError(f"{name} of pair {row} (counted from 0) is no finite number (got {column[row]})")
        if self.weight is not None and not (self.weight > 0).all():
            row = int(np.flatnonzero(self.weight <= 0)[0])
            raise InputError(f"weight of pair {row} (counted from 0) must be above 0 (got {self.weight[row]})")
        keys = self.keys()
        keys.sort()  # in place: np.unique would hold three times as much
        if (keys[1:] == keys[:-1]).any():
            raise InputError("a user-item pair occurs twice; merge duplicates first (dataset.build does)")

    @classmethod
    def of_columns(cls, count: int, n_users: int, n_items: int, columns: Mapping[str, NDArray[Any]]) -> "Interactions":
        """Pairs of which some columns are known alone, in any type, and which were checked elsewhere.

        Args:
            count: how many.
            n_users: number of users.
            n_items: number of items.
            columns: those that are known; of others every value is 0.
        """
        nothing = np.empty(0, dtype=np.int64)
        zeros = {name: np.broadcast_to(np.int8(0), (count,)) for name in ("user", "item", "split")}
        return cls(nothing, nothing, nothing.astype(np.int8), n_users, n_items)._with(**{**zeros, **columns})

    def __len__(self) -> int:
        return len(self.user)

    def keys(self) -> Int64:
        """One integer per pair, ``user * n_items + item``: ``[E]``."""
        return self.user * self.n_items + self.item

    def of(self, *splits: Split) -> "Interactions":
        """The pairs of the given splits only; users and items keep their row numbers."""
        return self.take(np.isin(self.split, [int(split) for split in splits]))

    def take(self, rows: NDArray[np.bool_]) -> "Interactions":
        """The pairs where ``rows`` ``[E]`` is true."""
        columns = ("user", "item", "split", *OPTIONAL)
        return self._with(**{name: column[rows] for name in columns if (column := getattr(self, name)) is not None})

    def with_split(self, split: NDArray[np.int8]) -> "Interactions":
        """The same pairs under another split, ``[E]`` int8."""
        return replace(self, split=split)

    def _with(self, **columns: NDArray[Any]) -> "Interactions":
        """Change columns without checking again what a part of checked pairs cannot break."""
        changed = copy(self)
        for name, column in columns.items():
            object.__setattr__(changed, name, column)
        return changed

    def split_sizes(self) -> dict[str, int]:
        """Number of pairs in train, validation and test."""
        return {split.label: int((self.split == int(split)).sum()) for split in EVALUATED}

    def user_degree(self) -> Int64:
        """Pairs per user: ``[U]``."""
        return np.bincount(self.user, minlength=self.n_users).astype(np.int64)

    def item_degree(self) -> Int64:
        """Pairs per item: ``[I]``."""
        return np.bincount(self.item, minlength=self.n_items).astype(np.int64)
