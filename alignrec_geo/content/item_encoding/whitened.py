"""Whitened features of items one by one: the vector that was whitened, then the stored transform."""

from collections.abc import Collection, Sequence

import numpy as np
import torch
from torch import Tensor

from alignrec_geo.content.item_encoder import ItemEncoder, NewItem
from alignrec_geo.errors import InputError
from alignrec_geo.nn.whitening import Whitening


class WhitenedItemEncoder:
    """The vector of an item in the matrix that was whitened, through mean and matrix of the whitening.

    An item that brings its row of that matrix (``vectors``) needs no encoder.

    Args:
        source: name of that matrix.
        inner: its encoder; ``None`` if it was imported.
        whitening: as stored.

    Attributes:
        source: name of that matrix.
        inner: its encoder, if any.
        whitening: as stored.
    """

    def __init__(self, source: str, inner: ItemEncoder | None, whitening: Whitening) -> None:
        self.source, self.inner, self.whitening = source, inner, whitening
        self.name = f"whitening of {source if inner is None else inner.name}"
        self.width = len(whitening.mean)
        self.modalities: tuple[str, ...] = (source,) if inner is None else inner.modalities

    def encode(self, items: Sequence[NewItem], masked: Collection[str] = ()) -> tuple[Tensor, Tensor]:
        """See :class:`~alignrec_geo.content.item_encoder.ItemEncoder`.

        Raises:
            InputError: a row that an item brings has another width than the matrix.
        """
        vectors, present = torch.zeros(len(items), self.width), torch.zeros(len(items), dtype=torch.bool)
        if self.inner is not None:
            vectors, present = self.inner.encode(items, masked)
        for row, item in enumerate(items):
            if self.source in item.vectors and self.source not in masked:
                brought = np.asarray(item.vectors[self.source], dtype=np.float32)
                if brought.shape != (self.width,):
                    raise InputError(
                        f"item '{item.id}': '{self.source}' must have {self.width} numbers (got shape {brought.shape})"
                    )
                vectors[row], present[row] = torch.from_numpy(brought), True
        return self.whitening(vectors) * present[:, None], present
