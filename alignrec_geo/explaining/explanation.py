"""What an explanation says, for people and for programs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from alignrec_geo.notebook import html_table

EXACT, FIRST_ORDER = "exact", "first-order approximation"
"""How numbers were found."""
PARTS = ("identity-identity", "identity-content", "content-identity", "content-content")
"""The user's branch, then the item's."""
REST = "rest"
SEEN = 0.00005
"""What is smaller shows as zero."""


def signed(value: float) -> str:
    """A part of a score as people read it.

    Example:
        >>> signed(0.25), signed(-0.25), signed(-1e-9)
        ('+0.2500', '-0.2500', '+0.0000')
    """
    return f"{value if abs(value) >= SEEN else 0.0:+.4f}"


@dataclass(frozen=True)
class PastItem:
    """What one past item brings to a score.

    Args:
        item: external id.
        title: where known.
        identity: what arrives over the item and began at identities.
        content: what arrives over it and began at content.
        image: the stored image, where there is one.
    """

    item: str
    title: str | None
    identity: float
    content: float
    image: Path | None = field(default=None, repr=False)

    @property
    def contribution(self) -> float:
        """Both together."""
        return self.identity + self.content


@dataclass(frozen=True)
class Explanation:
    """Where one score comes from; made by :func:`~alignrec_geo.explaining.explain`.

    Args:
        model: name of the model.
        dataset: name of the data set.
        user: external id.
        item: external id.
        title: of the item, where known.
        score: the score, the dot product of both vectors.
        rank: the item's place among the items that the user has not interacted with; ``None`` for one of those that
            the user has.
        candidates: how many items are ranked.
        parts: the score by branch of the user and branch of the item, ``identity-content`` for example, and ``rest``:
            biases, and what derivatives leave over.
        history: the user's training items, the one that brings most first; their sum, ``elsewhere`` and ``remainder``
            are the score.
        elsewhere: what no past item brings, by name.
        remainder: what is left: rounding, or what is not of first order.
        sources: the score by where the user's vector begins; ``remainder`` is missing here too.
        parts_are: ``exact`` or ``first-order approximation``.
        history_is: likewise.
        image: the item's stored image, where there is one.
    """

    model: str
    dataset: str
    user: str
    item: str
    title: str | None
    score: float
    rank: int | None
    candidates: int
    parts: Mapping[str, float]
    history: list[PastItem]
    elsewhere: Mapping[str, float]
    remainder: float
    sources: Mapping[str, float]
    parts_are: str
    history_is: str
    image: Path | None = field(default=None, repr=False)

    @property
    def headline(self) -> str:
        """What is explained."""
        return f"{self.title or self.item} for user {self.user}"

    @property
    def place(self) -> str:
        """The rank in words."""
        if self.rank is None:
            return "an item that the user has already"
        return f"place {self.rank:,} of {self.candidates:,} items that the user has not"

    @property
    def others(self) -> dict[str, float]:
        """What is not carried by past items, a remainder of approximations among it."""
        left = {"not of first order": self.remainder} if self.history_is == FIRST_ORDER else {}
        return {**self.elsewhere, **left}

    def as_dict(self) -> dict[str, Any]:
        """Everything but the images, of plain values."""
        names = ("model", "dataset", "user", "item", "title", "score", "rank", "candidates", "parts_are", "history_is")
        return {
            **{name: getattr(self, name) for name in names},
            **{name: dict(getattr(self, name)) for name in ("parts", "elsewhere", "sources")},
            "remainder": self.remainder,
            "history": [
                {"item": one.item, "title": one.title, "identity": one.identity, "content": one.content}
                for one in self.history
            ],
        }

    def to_frame(self) -> pl.DataFrame:
        """Return one row per past item: external id, title, contribution, and its two parts."""
        return pl.DataFrame(
            [(one.item, one.title, one.contribution, one.identity, one.content) for one in self.history],
            schema={
                "item": pl.String,
                "title": pl.String,
                "contribution": pl.Float64,
                "identity": pl.Float64,
                "content": pl.Float64,
            },
            orient="row",
        )

    def _repr_html_(self) -> str:
        rows = [
            (f"{name} ({self.parts_are})", signed(value)) for name, value in self.parts.items() if abs(value) >= SEEN
        ]
        carried = [(one.title or one.item, signed(one.contribution)) for one in self.history[:10]]
        title = f"{self.title or self.item} for {self.user}: {self.score:.4f}"
        return html_table(rows, title=title) + html_table(carried, ("past item", f"brings ({self.history_is})"))
