"""Settings of AlignRec+."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from alignrec_geo.models.alignrec_config import AlignRecConfig


class AlignRecPlusConfig(AlignRecConfig):
    """Settings of :class:`~alignrec_geo.models.AlignRecPlus`; each of the five ideas has a switch."""

    search_space: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "hard_negatives": (1, 2, 4, 8),
        "co_occurrence": (0.0, 0.3, 0.8),
        "uia_weight": (0.05, 0.1, 0.2),
        "reg_weight": (0.02, 0.1, 0.3),
    }

    spectral_start: bool = True
    """Begin with the leading singular vectors of the user-item graph; else with random numbers."""
    centring: Literal["whiten", "centre", "none"] = "centre"
    """What is done to every feature matrix before its rows get unit length: take off the mean of all items, whiten too
    (for encoders whose vectors all look alike), or neither, and then ``feature_scaling`` says about lengths."""
    user_weight: float = Field(default=0.5, ge=0.0)
    """Weight of the users with the most similar histories in a user's identity; 0 leaves them out."""
    user_neighbours: int = Field(default=10, ge=1)
    """How many similar users."""
    co_occurrence: float = Field(default=0.3, ge=0.0, le=1.0)
    """Share β of items with the same users in the item graph, for items with many pairs; 0 leaves them out."""
    hard_negatives: int = Field(default=4, ge=1)
    """Candidates of which the best ranked is the negative; 1 takes the one that was drawn."""
