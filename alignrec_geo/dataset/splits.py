"""Rules that split interactions into train, validation and test."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from alignrec_geo.dataset.interactions import Interactions, Split
from alignrec_geo.errors import InputError
from alignrec_geo.settings import Settings, checked
from alignrec_geo.typing import Int64

HISTORY_SHARE = 0.8
"""Share of a held-out user's pairs that is the history (``cold-users``)."""

Rule = Literal["given", "random", "leave-last", "global-time", "cold-items", "cold-users", "all-train"]


class SplitConfig(Settings):
    """How interactions are split; stored with the data set."""

    rule: Rule = "random"
    """``given``, ``random`` (per user), ``leave-last`` (per user), ``global-time``, ``cold-items``, ``cold-users`` or
    ``all-train``."""
    seed: int = Field(default=0, ge=0)
    """Seed of the rules that draw (``random``, ``cold-items``, ``cold-users``)."""
    validation: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Share of the rows (``global-time``), items (``cold-items``) or users (``cold-users``) held out for validation."""
    test: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Share held out for test, likewise."""

    @model_validator(mode="after")
    def _something_left(self) -> "SplitConfig":
        if self.validation + self.test >= 1.0:
            raise ValueError(f"validation + test must be below 1 (got {self.validation} + {self.test})")
        return self


def split_config(given: Any, argument: str) -> SplitConfig | None:
    """The rule that a caller named, as a :class:`SplitConfig` or by its name.

    Raises:
        InputError: there is no such rule, or it is neither.

    Example:
        >>> split_config("leave-last", "rule").rule
        'leave-last'
    """
    if given is None or isinstance(given, SplitConfig):
        return given
    if isinstance(given, str):
        return checked(SplitConfig, {"rule": given})
    raise InputError(f"{argument}: a SplitConfig or the name of a rule is needed (got {given!r:.80})")


def make_split(interactions: Interactions, config: SplitConfig) -> NDArray[np.int8]:
    """Return the split of every pair under ``config``: ``[E]`` int8.

    - ``given``: as it is.
    - ``random``: the field's 8:1:1 rule per user. A user with ``n`` pairs gives one to validation and one to test if
      ``n < 10``, else ``floor(0.2 n)`` of which half (rounded down) to validation; fewer than 3 pairs all train.
    - ``leave-last``: each user's last pair in time to test, the one before to validation; fewer than 3 all train.
    - ``global-time``: the latest rows of the whole table.
    - ``cold-items``: all pairs of a random share of the items, so that those items are new at validation and test.
    - ``cold-users``: a random share of the users with at least 2 pairs, of whom nothing is trained (strong
      generalisation): 80 % of each one's pairs, drawn at random and rounded up, but never all, are the history from
      which the model has to find the others.
    - ``all-train``: every pair is training; nothing can be measured.

    Pairs of no split stay without one under ``all-train``.

    Raises:
        InputError: the rule needs timestamps and there are none.
    """
    if config.rule == "given":
        return interactions.split
    if config.rule == "random":
        order = _permutation(np.random.default_rng(config.seed), len(interactions))
        return _per_user(interactions.user, order, _random_holdout)
    if config.rule == "leave-last":
        return _per_user(interactions.user, _time_order(interactions, config.rule), _last_holdout)
    if config.rule == "global-time":
        return _global_time(interactions, config)
    if config.rule == "cold-items":
        return _cold_items(interactions, config)
    if config.rule == "cold-users":
        return _cold_users(interactions, config)
    unused = interactions.split == Split.UNUSED
    return np.where(unused, Split.UNUSED, Split.TRAIN).astype(np.int8)


def _random_holdout(count: Int64) -> tuple[Int64, Int64]:
    held = np.where(count < 3, 0, np.where(count < 10, 2, count // 5))
    return held // 2, held - held // 2


def _last_holdout(count: Int64) -> tuple[Int64, Int64]:
    one = np.where(count < 3, 0, 1)
    return one, one


def _per_user(
    user: Int64, order: NDArray[np.integer], holdout: Callable[[Int64], tuple[Int64, Int64]]
) -> NDArray[np.int8]:
    """Sort by user, keeping ``order`` within a user, and hold out the tail of each user's rows."""
    count = np.bincount(user)
    rows = _grouped(user, order, len(count))
    del order
    end = np.cumsum(count)
    validation, test = holdout(count)
    split = np.full(len(user), Split.TRAIN, dtype=np.int8)
    for held, part in ((validation + test, Split.VALIDATION), (test, Split.TEST)):
        tail = np.repeat(end - np.cumsum(held), held) + np.arange(held.sum())  # the last ``held`` places of each user
        split[rows[tail]] = part
    return split


def _permutation(draw: np.random.Generator, count: int) -> NDArray[np.integer]:
    """What ``draw.permutation(count)`` gives, in 32 bits where they suffice."""
    order: NDArray[np.integer] = np.arange(count, dtype=np.int32 if count < 2**31 else np.int64)
    draw.shuffle(order)
    return order


def _grouped(user: Int64, order: NDArray[np.integer], n_users: int) -> NDArray[np.integer]:
    """Rows by user, in ``order`` within a user: a counting sort, in linear time and in 32 bits where they suffice."""
    from scipy.sparse import coo_array

    narrow = order.astype(np.int32, copy=False) if len(order) < 2**31 else order
    places = (user[narrow].astype(narrow.dtype, copy=False), narrow)
    pattern = coo_array((np.ones(len(order), dtype=np.int8), places), shape=(n_users, len(order)))
    pattern.has_canonical_format = True  # no place comes twice; and nothing is sorted within a user
    rows: NDArray[np.integer] = pattern.tocsr().indices
    return rows


def _time_order(interactions: Interactions, rule: str) -> Int64:
    if interactions.timestamp is None:
        raise InputError(f"split rule '{rule}' needs timestamps and this data set has none")
    return np.argsort(interactions.timestamp, kind="stable")


def _global_time(interactions: Interactions, config: SplitConfig) -> NDArray[np.int8]:
    order = _time_order(interactions, config.rule)
    n = len(interactions)
    n_test, n_validation = round(n * config.test), round(n * config.validation)
    split = np.full(n, Split.TRAIN, dtype=np.int8)
    split[order[n - n_test - n_validation :]] = Split.VALIDATION
    split[order[n - n_test :]] = Split.TEST
    return split


def _cold_items(interactions: Interactions, config: SplitConfig) -> NDArray[np.int8]:
    warm = np.unique(interactions.item)
    drawn = np.random.default_rng(config.seed).permutation(warm)
    n_test, n_validation = round(len(warm) * config.test), round(len(warm) * config.validation)
    of_item = np.full(interactions.n_items, Split.TRAIN, dtype=np.int8)
    of_item[drawn[:n_test]] = Split.TEST
    of_item[drawn[n_test : n_test + n_validation]] = Split.VALIDATION
    return of_item[interactions.item]


def _cold_users(interactions: Interactions, config: SplitConfig) -> NDArray[np.int8]:
    draw = np.random.default_rng(config.seed)
    degree = interactions.user_degree()
    able = np.flatnonzero(degree >= 2)
    drawn = draw.permutation(able)
    n_test, n_validation = round(len(able) * config.test), round(len(able) * config.validation)
    of_user = np.full(interactions.n_users, Split.TRAIN, dtype=np.int8)
    of_user[drawn[:n_test]] = Split.TEST
    of_user[drawn[n_test : n_test + n_validation]] = Split.VALIDATION
    wanted = _per_user(interactions.user, _permutation(draw, len(interactions)), _strong_holdout) == Split.TEST
    held = of_user[interactions.user]
    return np.where((held == Split.TRAIN) | wanted, held, Split.HISTORY).astype(np.int8)


def _strong_holdout(count: Int64) -> tuple[Int64, Int64]:
    return np.zeros_like(count), np.maximum(1, np.floor((1 - HISTORY_SHARE) * count + 1e-9).astype(np.int64))
