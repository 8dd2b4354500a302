"""The loss terms of an epoch of stage 1, added up where they are."""

import math
import time
from collections.abc import Mapping

import torch
from torch import Tensor

from alignrec_geo.errors import TrainingDiverged

SECONDS_BETWEEN_READS = 2.0
"""How often a GPU is asked for the terms so far; every time the host waits for it."""


class LossSums:
    """Adds up the terms of an epoch.

    On a CPU every step's terms are looked at before the optimiser moves; on a GPU the sums stay there and are read now
    and then, and at the end.

    Args:
        epoch: counted from 0, for the message.
        device: where the terms are.

    Example:
        >>> sums = LossSums(0, torch.device("cpu"))
        >>> [float(sums.add({"words": torch.tensor(value)})) for value in (1.0, 2.0)]
        [1.0, 2.0]
        >>> sums.means()
        {'words': 1.5}
    """

    def __init__(self, epoch: int, device: torch.device) -> None:
        self._epoch, self._on_gpu = epoch, device.type != "cpu"
        self._steps, self._read = 0, time.monotonic()
        self._sums: dict[str, float] = {}
        self._names: tuple[str, ...] = ()
        self._totals: Tensor | None = None
        self.shown: Mapping[str, float] = {}
        """The terms of the last step; on a GPU their means so far, as last read."""

    def add(self, terms: Mapping[str, Tensor]) -> Tensor:
        """Count the terms of a step and return their sum.

        Raises:
            TrainingDiverged: on a CPU, where one is not finite.
        """
        stacked = torch.stack(list(terms.values()))
        total = stacked.sum()
        self._steps += 1
        if not self._on_gpu:
            self.shown = {name: float(value.detach()) for name, value in terms.items()}
            if not bool(torch.isfinite(total)):
                raise self._diverged(self.shown, f", step {self._steps}")
            for name, value in self.shown.items():
                self._sums[name] = self._sums.get(name, 0.0) + value
            return total
        if self._totals is None:
            self._names, self._totals = tuple(terms), torch.zeros(len(terms), dtype=torch.float64, device=total.device)
        self._totals += stacked.detach()
        if time.monotonic() - self._read > SECONDS_BETWEEN_READS:
            self.shown, self._read = self.means(), time.monotonic()
        return total

    def means(self) -> dict[str, float]:
        """The mean of every term so far.

        Raises:
            TrainingDiverged: one is not finite.
        """
        if self._totals is not None:
            self._sums = dict(zip(self._names, self._totals.tolist(), strict=True))
            if not all(map(math.isfinite, self._sums.values())):
                raise self._diverged(self._sums, "")
        return {name: value / self._steps for name, value in self._sums.items()}

    def _diverged(self, values: Mapping[str, float], step: str) -> TrainingDiverged:
        named = ", ".join(f"{name} {value:g}" for name, value in values.items())
        return TrainingDiverged(f"epoch {self._epoch + 1}{step}: the loss is not finite ({named}); lower lr")
