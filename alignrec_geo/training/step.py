"""One optimiser step, operation by operation."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from alignrec_geo.errors import TrainingDiverged
from alignrec_geo.kernels.branch import Branch
from alignrec_geo.kernels.fixed_shapes import fixed_shapes
from alignrec_geo.models.base import Recommender

Loss = Callable[[Any], dict[str, Tensor]]
"""From a batch, in whatever form a run draws it, to its terms."""

SECONDS_BETWEEN_READS = 2.0
"""How often the host asks a GPU for the loss so far; every time it waits until all steps are made."""


class EagerStep:
    """Forward, backward and optimiser, and the sums of the loss terms over an epoch.

    On a CPU the terms of every step are looked at before the optimiser moves. On a GPU nothing is read back within an
    epoch but every :data:`SECONDS_BETWEEN_READS`: the terms are added up there, and from the first one that is not
    finite on the optimiser leaves the parameters as they are.

    Args:
        model: the model, on its device.
        optimizer: of its parameters; see :func:`~alignrec_geo.training.optimizer.make_optimizer`.
        loss: in place of the model's own; a compiled one.

    Example:
        >>> from alignrec_geo.dataset import make_catalogue
        >>> from alignrec_geo.models import Batch, LightGCN
        >>> from alignrec_geo.training.config import TrainingConfig
        >>> from alignrec_geo.training.optimizer import make_optimizer
        >>> model = LightGCN.from_dataset(make_catalogue(n_users=60, n_items=40, image_size=16))
        >>> step = EagerStep(model, make_optimizer(model, TrainingConfig()))
        >>> step.start(epoch=0)
        >>> sorted(step.run(Batch(torch.tensor([0]), torch.tensor([1]), torch.tensor([2]), 1)))
        ['bpr', 'reg']
    """

    def __init__(self, model: Recommender, optimizer: torch.optim.Optimizer, loss: Loss | None = None) -> None:
        self.model, self.optimizer = model, optimizer
        self.loss = model.loss if loss is None else loss
        self.device = optimizer.param_groups[0]["params"][0].device
        self.names: tuple[str, ...] = ()
        self.totals: Tensor | None = None
        self.diverged = torch.zeros((), device=self.device)
        self.reads_back = not fixed_shapes(self.device)
        if not self.reads_back:
            # the fused optimiser skips its update while this is 1, as for a gradient scaler
            optimizer.found_inf = self.diverged  # type: ignore[attr-defined]

    def start(self, epoch: int) -> None:
        """Begin an epoch: all sums are 0 again."""
        self.epoch, self.steps = epoch, 0
        self._shown: Mapping[str, float] = {}
        self._read = time.monotonic()
        self.diverged.zero_()
        if self.totals is not None:
            self.totals.zero_()

    def run(self, batch: Any) -> Mapping[str, float]:
        """Make one step.

        Args:
            batch: what the loss takes: a :class:`~alignrec_geo.models.Batch`, if no other one was given.

        Returns:
            The terms of the step by name; on a GPU their means so far in the epoch, as last read.

        Raises:
            TrainingDiverged: a term is NaN or infinite.
        """
        self._advance(batch)
        self.steps += 1
        if self.reads_back:
            return self._shown
        if time.monotonic() - self._read > SECONDS_BETWEEN_READS:
            self._shown = self.means()
            self._read = time.monotonic()
        return self._shown

    def means(self) -> dict[str, float]:
        """The mean of every term over the epoch so far; waits for a GPU.

        Raises:
            TrainingDiverged: a term became NaN or infinite.
        """
        totals = [] if self.totals is None else self.totals.tolist()
        for name, total in zip(self.names, totals, strict=True):
            self._check(name, total)
        return {name: total / self.steps for name, total in zip(self.names, totals, strict=True)}

    def _advance(self, batch: Any) -> None:
        self._step(batch)

    def _step(self, batch: Any) -> None:
        """Everything between a batch and the moved parameters."""
        terms = self.loss(batch)
        stacked = torch.stack([term.reshape(()) for term in terms.values()])
        values = stacked.detach()
        if self.totals is None:
            self.names = tuple(terms)
            self.totals = torch.zeros(len(values), dtype=torch.float64, device=self.device)
        if self.reads_back:
            self._shown = dict(zip(terms, (float(term.detach()) for term in terms.values()), strict=True))
            for name, value in self._shown.items():
                self._check(name, value)
        beside = Branch(values, self.totals, self.diverged)
        with beside:
            self.totals.add_(values)
            if not self.reads_back:  # 1 as soon as a sum is not finite, and the sums stay that way
                torch.ne(self.totals.sum().mul_(0.0), 0.0, out=self.diverged)
        self.optimizer.zero_grad()
        stacked.sum().backward()
        beside.join()
        self.optimizer.step()

    def _check(self, name: str, value: float) -> None:
        if not math.isfinite(value):
            raise TrainingDiverged(
                f"loss term '{name}' became {value} in epoch {self.epoch}; the state before this epoch is kept. "
                "Try a lower learning rate (lr=…) or look at the features' scale"
            )
