"""What the loop of stage 1 needs to know of a way to pre-train."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from alignrec_geo.typing import Int64


class PretrainTask(Protocol):
    """One way of mask-then-predict on one data set: its model, its batches and its losses.

    The frozen package encoders, feature matrices and BEiT-3 each have one.
    """

    modalities: tuple[str, ...]
    """What an item may have, ``("image", "text")`` for example."""
    items: Int64
    """Rows of the data set that have something to learn from: at least two modalities."""
    width: int
    """D of the item vectors."""

    @property
    def unreadable(self) -> Mapping[str, str]:
        """Why an image could not be read, by external item id; such an image counts as missing."""
        ...

    @property
    def model(self) -> nn.Module:
        """All that trains."""
        ...

    def batch(self, items: Int64, generator: torch.Generator) -> Any:
        """What a step is computed from, of a batch of item rows, on the model's device. Masks are drawn here."""
        ...

    def loss(self, batch: Any) -> dict[str, Tensor]:
        """Named, already weighted terms of a batch; their sum is minimised."""
        ...

    def held_out(self, items: Int64, generator: torch.Generator) -> dict[str, float]:
        """Mean losses on items that were not trained on, model in evaluation mode.

        For each prediction two keys, ``words`` and ``words shuffled`` for example: the same masks, once with the right
        partner and once with the partner of another item.
        """
        ...

    def vectors(self, items: Int64, masked: Collection[str] = ()) -> Tensor:
        """Item vectors ``[n, D]`` float32, without gradients; modalities in ``masked`` are hidden, as missing ones are.

        Items without any modality left get a row of zeros.
        """
        ...

    def present(self) -> NDArray[np.bool_]:
        """Which items have at least one modality, ``[I]``."""
        ...

    def config(self) -> dict[str, Any]:
        """What rebuilds the model, as JSON."""
        ...

    def save(self, folder: Path) -> None:
        """Write what else the encoder needs to be opened again, a tokenizer for example, beside its weights."""
        ...
