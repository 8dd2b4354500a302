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
        - **input:** any; optionally ``rows [n]`` int64: row ``b`` is dropped like row ``rows[b]``
        - **output:** the same
    """

    def __init__(self, p: float, seed: int = 0) -> None:
        super().__init__()
        self.p, self._seed = p, seed
        self._generator: torch.Generator | None = None

    def reseed(self, generator: torch.Generator) -> None:
        """Start a new stream, seeded by a draw from ``generator``."""
        self._seed = int(torch.randint(2**62, (1,), generator=generator))
        if self._generator is not None:  # the same object: a CUDA graph draws from it
            self._generator.manual_seed(self._seed)

    def generator_on(self, device: torch.device) -> torch.Generator:
        """The stream of a device."""
        if self._generator is None or self._generator.device.type != device.type:
            self._generator = torch.Generator(device).manual_seed(self._seed)
        return self._generator

    def forward(self, x: Tensor, rows: Tensor | None = None) -> Tensor:
        """Return ``x`` with entries dropped."""
        if not self.training or self.p == 0.0:
            return x
        kept = torch.empty_like(x).bernoulli_(1.0 - self.p, generator=self.generator_on(x.device))
        kept.div_(1.0 - self.p)
        return x * (kept if rows is None else kept.index_select(0, rows))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"
