"""Encode items the same way as a stored feature matrix was made: new ones, or with a modality hidden."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from numpy.typing import NDArray
from torch import Tensor

from alignrec_geo.dataset.features import Features
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError

EXTRACTED, PRETRAINED = "features extract", "pretrain"
"""What a matrix's ``meta`` says under "made by"."""


@dataclass(frozen=True)
class NewItem:
    """What is known of an item.

    Args:
        id: external id.
        text: title and text as one (:func:`~alignrec_geo.content.text_tokens.item_texts`).
        image: file of its picture.
        vectors: its rows of plain feature matrices, by name.
        title: for people; encoders read ``text``.
    """

    id: str
    text: str | None = None
    image: Path | None = None
    vectors: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    title: str | None = None


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
            items: a batch; pictures are read from disk. One that cannot be read counts as missing.
            masked: modalities to hide.

        Returns:
            Vectors ``[n, D]`` float32, and which items have any content left, ``[n]`` bool; others have zeros.
        """
        ...


def has_encoder(features: Features) -> bool:
    """Whether a matrix was made by an encoder of this program."""
    return features.meta.get("made by") in (EXTRACTED, PRETRAINED)


def open_item_encoder(
    dataset: Dataset, feature: str, source: str | None = None, device: torch.device | None = None
) -> ItemEncoder:
    """Open the encoder that made a stored feature matrix; the matrix says in its ``meta`` which one that was.

    Args:
        dataset: as stored.
        feature: name of the matrix.
        source: where the frozen encoder of ``features extract`` is: ``package`` (the default) or a local
            ``transformers`` folder. What ``pretrain`` left knows its encoders itself.
        device: where to run; the CPU if not given.

    Raises:
        InputError: there is no such matrix, it was made by no encoder of this program (an imported matrix), or the
            encoder is missing or another one.
    """
    features = dataset.features(feature)
    made_by = features.meta.get("made by")
    if made_by == EXTRACTED:
        from alignrec_geo.content.encoders import PACKAGE
        from alignrec_geo.content.raw_encoders import open_raw_encoder

        return open_raw_encoder(features, source or PACKAGE, device)
    if made_by == PRETRAINED:
        from alignrec_geo.content.pretrained import open_pretrained

        return open_pretrained(dataset, feature, device)
    raise InputError(
        f"features '{feature}' of data set '{dataset.name}' were not made by an encoder of this program; new items "
        f'must bring their own vectors: "features": {{"{feature}": [{features.width} numbers]}}'
    )
