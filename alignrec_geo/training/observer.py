"""Who is told how training goes."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


class Observer:
    """Watches a run: a progress bar, a logger, a notebook widget. Subclass and override what is of interest."""

    def epoch_started(self, epoch: int, steps: int) -> None:
        """Epoch ``epoch`` (from 0) begins; it has ``steps`` batches."""

    def step_done(self, terms: Mapping[str, float]) -> None:
        """One optimiser step was made; ``terms`` are the weighted loss terms by name."""

    def epoch_done(self, record: Mapping[str, Any]) -> None:
        """An epoch ended; ``record`` is its line in ``metrics.jsonl``."""


def tensorboard_observer(folder: Callable[[], Path]) -> Observer | None:
    """Return an observer that writes TensorBoard event files, ``None`` where TensorBoard is not installed.

    Args:
        folder: where to; asked when the first epoch has ended, as a new run comes to its place then.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return _TensorBoard(lambda: SummaryWriter(str(folder())))


class _TensorBoard(Observer):
    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._writer: Any = None

    def epoch_done(self, record: Mapping[str, Any]) -> None:
        if self._writer is None:
            self._writer = self._make()
        epoch = record["epoch"]
        for group in ("loss", "validation"):
            for name, value in (record.get(group) or {}).items():
                self._writer.add_scalar(f"{group}/{name}", value, epoch)
        self._writer.add_scalar("lr", record["lr"], epoch)
        self._writer.flush()
