"""The callback that writes TensorBoard event files."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from alignrec_geo.observer import Observer


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
