"""Losses of tasks that mask words and patches, in training and on items that are held out."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, Self

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

    def masked(self, items: Int64, generator: torch.Generator, way: int | None = None) -> MaskedBatch:
        """A batch of items, each masked in one of several ways, or all in ``way``."""
        ...


class MaskedTask:
    """The losses of a task that has ``data`` to mask, and a ``model`` that returns named loss terms of a batch.

    Attributes:
        ways: how items are masked for each prediction, by its name.
        batch_size: items at a time where nothing is trained.
    """

    ways: ClassVar[Mapping[str, int]]
    batch_size: ClassVar[int]
    model: Any
    data: Any

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        device: torch.device = next(self.model.parameters()).device
        return device

    def batch(self, items: Int64, generator: torch.Generator) -> Any:
        """Items with masks, on the model's device."""
        return self.data.masked(items, generator).to(self.device)

    def loss(self, batch: Any) -> dict[str, Tensor]:
        """The terms of a batch."""
        terms: dict[str, Tensor] = self.model(batch)
        return terms

    def held_out(self, items: Int64, generator: torch.Generator) -> dict[str, float]:
        """Losses at masked words and patches, with the right partner and with a shuffled one."""
        return held_out_losses(
            self.model, self.data, items, self.ways, generator, batch_size=self.batch_size, device=self.device
        )


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
