"""Dropout that draws from a generator of its own."""

import torch
from torch import Tensor, nn


class Dropout(nn.Module):
    """Set entries to zero with probability ``p`` and scale the others by ``1 / (1 - p)``, in training mode only.

    ``torch.nn.Dropout`` draws from the global generator; this one from a stream that :meth:`reseed` starts, once an
    epoch, from the run's own generator, so that a resumed run draws what an unbroken one would.

    Args:
        p: probability of a zero, in ``[0, 1)``.
        seed: of the stream until the first :meth:`reseed`.

    Shapes:
        - **input:** any
        - **output:** the same
    """

    def __init__(self, p: float, seed: int = 0) -> None:
        super().__init__()
        self.p, self._seed = p, seed
        self._generator: torch.Generator | None = None

    def reseed(self, generator: torch.Generator) -> None:
        """Start a new stream, seeded by a draw from ``generator``."""
        self._seed = int(torch.randint(2**62, (1,), generator=generator))
        self._generator = None

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` with entries dropped."""
        if not self.training or self.p == 0.0:
            return x
        if self._generator is None or self._generator.device != x.device:
            self._generator = torch.Generator(x.device).manual_seed(self._seed)
        kept = torch.empty_like(x).bernoulli_(1.0 - self.p, generator=self._generator)
        return x * kept.div_(1.0 - self.p)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"
