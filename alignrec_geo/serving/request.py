"""One request for recommendations, for one user or for all: who asks, what may be ranked, and the answer in arrays."""

import hashlib
from functools import cached_property
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alignrec_geo.errors import InputError
from alignrec_geo.serving.candidates import Candidates
from alignrec_geo.serving.index.ranking import IndexRanking
from alignrec_geo.serving.items_by_user import ItemsByUser
from alignrec_geo.serving.prepared import Prepared
from alignrec_geo.serving.ranking import Pairs, Ranking
from alignrec_geo.serving.rules import Rules
from alignrec_geo.typing import Int64

POLICIES = ("error", "popular", "skip")
"""What can be done for users that are unknown or have no training interaction."""


class Answer(NamedTuple):
    """The best items of some users, in arrays."""

    scores: NDArray[np.floating]
    """``[b, k]``, minus infinity where there is no item."""
    items: Int64
    """Rows of the items, ``[b, k]``."""
    popular: NDArray[np.bool_]
    """Which users got the most popular items, ``[b]``."""


class Request:
    """What is asked for, checked and prepared; :meth:`answer` takes its users block by block.

    Args:
        model: the tables.
        names: external ids of the users, as text.
        rows: their rows in the table, -1 for those it does not have, ``[n]``.
        k: items per user.
        unknown: one of :data:`POLICIES`.
        include_cold: rank cold items too.
        rules: what may be recommended.

    Attributes:
        notes: what of the rules could not be used.

    Raises:
        InputError: an unknown policy, an unknown user under ``error``, nobody known under ``skip``, or rules that
            cannot be followed.
    """

    def __init__(
        self,
        model: Prepared,
        names: pl.Series | list[str],
        rows: Int64,
        k: int,
        unknown: str,
        include_cold: bool,
        rules: Rules,
    ) -> None:
        if unknown not in POLICIES:
            raise InputError(f"unknown policy for unknown users (got {unknown!r:.80}); allowed: {', '.join(POLICIES)}")
        self.candidates: Candidates = model.candidates(include_cold)
        self.rows, self.k, self._model = rows, k, model
        self.known = model.trained_users[rows] & (rows >= 0)
        self._popular = unknown == "popular"
        if unknown == "error" and not self.known.all():
            place = int((~self.known).argmax())
            raise _unknown_user(model, names[place], there=bool(rows[place] >= 0))
        if unknown == "skip" and len(rows) and not self.known.any():
            raise InputError(
                f"none of the {len(rows)} users has a training interaction in data set '{model.dataset.name}' (first: "
                f"'{names[0]}'); unknown='popular' recommends the most popular items"
            )
        self._seen: ItemsByUser | None = model.seen if rules.hides_seen() else None
        self._allowed, self.notes = rules.allowed(self.candidates)
        self._excluded, said = rules.excluded(self.candidates, names)
        self.notes += said
        self._by_model = model.ranking(model.embeddings.users, self.candidates, self._allowed)

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def _by_popularity(self) -> Ranking:
        return Ranking(self._model.anybody, self.candidates.popularity[:, None], self._allowed)

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Which users get an answer, ``[n]``."""
        return np.ones_like(self.known) if self._popular else self.known

    def fingerprint(self, *columns: pl.Series) -> str:
        """SHA-256 of all that decides the answers, and of columns that name who asks and what is found."""
        digest = hashlib.sha256(repr((self.k, self._popular, self._seen is not None)).encode())
        model, wanted = self._model, self.candidates
        vectors = (model.embeddings.users, wanted.vectors, wanted.popularity)
        arrays = [*(table.cpu().numpy() for table in vectors), self.rows, self.known, wanted.by_content, self._allowed]
        for pairs in (self._seen, self._excluded):
            arrays += [None, None] if pairs is None else [pairs.start, pairs.item]
        for array in arrays:
            digest.update(repr(None if array is None else array.shape).encode())
            if array is not None:
                digest.update(np.ascontiguousarray(array).data)
        for column in columns:
            digest.update(column.hash(0).to_numpy().data)
        return digest.hexdigest()

    def answer(self, first: int, last: int) -> tuple[Int64, Answer]:
        """Answer some users: the places among all of those who get one, and their items."""
        places = np.arange(first, last)
        known = self.known[first:last]
        if not self._popular or known.all():
            places = places[known]
            return places, self._ranked(self._by_model, self.rows[places], places, popular=False)
        parts = [places[known], places[~known]]
        answers = [
            self._ranked(self._by_model, self.rows[parts[0]], parts[0], popular=False),
            self._ranked(self._by_popularity, np.zeros_like(parts[1]), parts[1], popular=True),
        ]
        order = np.argsort(np.concatenate(parts), kind="stable")
        return places, Answer(*(np.concatenate(columns)[order] for columns in zip(*answers, strict=True)))

    def _ranked(self, ranking: Ranking | IndexRanking, rows: Int64, places: Int64, popular: bool) -> Answer:
        if not len(rows):
            width = min(self.k, len(ranking.items))
            return Answer(np.empty((0, width), np.float32), np.empty((0, width), np.int64), np.empty(0, np.bool_))
        return Answer(*ranking.best(rows, self.k, self._hidden(places)), np.full(len(rows), popular))

    def _hidden(self, places: Int64) -> list[Pairs]:
        """Pairs that are left out of the rankings of some users."""
        hidden = []
        if self._seen is not None:
            rows = self.rows[places]
            among = rows >= 0
            if among.all():
                hidden.append(self._seen.of_rows(rows))
            else:
                place, item = self._seen.of_rows(rows[among])
                hidden.append((np.flatnonzero(among)[place], item))
        if self._excluded is not None:
            hidden.append(self._excluded.of_rows(places))
        return hidden


def _unknown_user(model: Prepared, name: str, there: bool) -> InputError:
    """The error for a user who is not in the table, or of whom nothing was learned."""
    hint = "; unknown='popular' recommends the most popular items, unknown='skip' leaves such users out"
    return (
        InputError(f"user '{name}' has no training interaction{hint}")
        if there
        else model.unknown(model.users, name, hint)
    )
