"""Held-out losses: a prediction with the right partner, and with that of another item."""

import math
from collections.abc import Mapping
from typing import Protocol, Self

import numpy as np
import torch
from torch import Tensor, nn

from alignrec_geo.typing import Int64


class MaskedBatch(Protocol):
    """A batch of items with something to predict."""

    def to(self, device: torch.device, /) -> Self:
        """The same batch on another device."""
        ...

    def with_partners(self, prediction: str, order: Tensor, /) -> Self:
        """The batch with what helps to predict ``prediction`` taken from the items in ``order``."""
        ...


class MaskedData(Protocol):
    """Makes masked batches."""

    def masked(self, items: Int64, generator: torch.Generator, way: int) -> MaskedBatch:
        """A batch of items, all masked in one way."""
        ...


@torch.no_grad()
def held_out_losses(
    model: nn.Module,
    data: MaskedData,
    items: Int64,
    ways: Mapping[str, int],
    generator: torch.Generator,
    *,
    batch_size: int,
    device: torch.device,
) -> dict[str, float]:
    """Mean losses on items that were not trained on: at the masks, with the right partner and with a shuffled one.

    Args:
        model: returns loss terms of a batch; is put into evaluation mode.
        data: makes the batches.
        items: rows of the data set.
        ways: how items are masked for each prediction.
        generator: draws masks and partners.
        batch_size: items at a time.
        device: where the model is.

    Returns:
        For each prediction ``NAME`` and ``NAME shuffled``.
    """
    model.eval()
    sums: dict[str, float] = {}
    for chunk in np.array_split(items, math.ceil(len(items) / batch_size)):
        order = derangement(len(chunk), generator)
        for prediction, way in ways.items():
            batch = data.masked(chunk, generator, way)
            shuffled = batch.with_partners(prediction, order)
            for key, shown in ((prediction, batch), (f"{prediction} shuffled", shuffled)):
                loss = float(model(shown.to(device))[prediction])
                sums[key] = sums.get(key, 0.0) + loss * len(chunk) / len(items)
    return sums


def derangement(n: int, generator: torch.Generator) -> Tensor:
    """A random permutation of ``n`` things without a fixed point (if n > 1).

    Example:
        >>> bool((derangement(5, torch.Generator().manual_seed(0)) == torch.arange(5)).any())
        False
    """
    circle = torch.randperm(n, generator=generator)
    order = torch.empty_like(circle)
    order[circle] = circle.roll(1)
    return order
