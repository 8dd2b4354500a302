"""How fast content is encoded, and how much of that time a GPU works."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch


@dataclass
class Throughput:
    """Counts what is encoded.

    Args:
        what: in the plural, for the report: ``images``.
    """

    what: str
    items: int = 0
    seconds: float = 0.0
    _spans: list[tuple[torch.cuda.Event, torch.cuda.Event]] = field(default_factory=list, repr=False)

    @contextmanager
    def running(self) -> Iterator[None]:
        """The whole pass, waiting for images and writing included."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - started

    @contextmanager
    def encoding(self, items: int, device: torch.device) -> Iterator[None]:
        """One batch in the encoder."""
        span = None
        if device.type == "cuda":
            with torch.cuda.device(device):
                span = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
                span[0].record()
        yield
        if span is not None:
            with torch.cuda.device(device):
                span[1].record()
            self._spans.append(span)
        self.items += items

    @property
    def per_second(self) -> float:
        """Items over seconds, 0 where nothing was encoded."""
        return self.items / self.seconds if self.items else 0.0

    @property
    def busy(self) -> float | None:
        """The share of the time in which a GPU encodes; ``None`` without one."""
        if not self._spans or not self.seconds:
            return None
        self._spans[-1][1].synchronize()
        milliseconds = sum(float(start.elapsed_time(end)) for start, end in self._spans)
        return milliseconds / 1e3 / self.seconds

    def __str__(self) -> str:
        """One line for a person.

        Example:
            >>> print(Throughput("images", items=500, seconds=2.0))
            500 images encoded, 250 a second
        """
        if not self.items:
            return f"{self.what}: all from the cache"
        share = "" if self.busy is None else f", GPU busy {100 * self.busy:.0f} %"
        return f"{self.items:,} {self.what} encoded, {self.per_second:,.0f} a second{share}"
