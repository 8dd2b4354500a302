"""TensorBoard event files in the run folder."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from alignrec_geo.training.tracking.tracker import Tracker, scalars

FOLDER = "tensorboard"


class TensorBoard(Tracker):
    """Writes event files into ``tensorboard/``.

    Args:
        folder: the run folder; asked when the first epoch has ended, as a new run comes to its place then.
    """

    name = "TensorBoard"

    def __init__(self, folder: Callable[[], Path]) -> None:
        self._folder = folder
        self._writer: Any = None

    def epoch_done(self, record: Mapping[str, Any]) -> None:
        """Write the numbers of the epoch."""
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self._folder() / FOLDER))
        for name, value in scalars(record):
            self._writer.add_scalar(name, value, record["epoch"])
        self._writer.flush()
