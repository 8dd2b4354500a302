"""Encode items the same way as a stored feature matrix was made: new ones, or with a modality hidden."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray
from torch import Tensor

from alignrec_geo.dataset.features import Features

EXTRACTED, PRETRAINED, WHITENED = "features extract", "pretrain", "features whiten"
"""What a matrix's ``meta`` says under "made by"."""


@dataclass(frozen=True)
class NewItem:
    """What is known of an item.

    Args:
        id: external id.
        text: title and text as one (:func:`~alignrec_geo.content.tokens.text_tokens.item_texts`).
        image: file of its image.
        vectors: its rows of plain feature matrices, by name.
        title: for people; encoders read ``text``.
        description: the text without the title, as a data set stores it.
    """

    id: str
    text: str | None = None
    image: Path | None = None
    vectors: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    title: str | None = None
    description: str | None = None


class ItemEncoder(Protocol):
    """From items to vectors."""

    name: str
    """What it is, for people."""
    width: int
    """D of the vectors."""
    modalities: tuple[str, ...]
    """What can be hidden."""

    def encode(self, items: Sequence[NewItem], masked: Collection[str] = ()) -> tuple[Tensor, Tensor]:
        """Encode items.

        Args:
            items: a batch; images are read from disk. One that cannot be read counts as missing.
            masked: modalities to hide.

        Returns:
            Vectors ``[n, D]`` float32, and which items have any content left, ``[n]`` bool; others have zeros.
        """
        ...


def has_encoder(features: Features) -> bool:
    """Whether a matrix was made by an encoder of this program."""
    return features.meta.get("made by") in (EXTRACTED, PRETRAINED, WHITENED)
