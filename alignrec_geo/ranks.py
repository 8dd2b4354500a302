"""Whether this process is one of several ranks, as ``torchrun`` and other launchers say it."""

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

OURS = "ALIGNREC_RANKS"
"""Environment variable of ranks that this program itself has started; it says what ended them."""
LOST = 75
"""Exit code of a rank that ends because another one did."""


class Place(NamedTuple):
    """A process among those that a launcher started."""

    rank: int
    """Its number, from 0."""
    size: int
    """How many there are."""
    local_rank: int
    """Its number on this machine."""
    restarts: int
    """How often the launcher has started them anew."""

    @property
    def follows(self) -> bool:
        """Whether another rank writes and reports."""
        return self.rank > 0


def launched() -> Place | None:
    """The place that a launcher gave this process, ``None`` where there is none or it is the only one.

    Read from ``RANK``, ``WORLD_SIZE`` and ``LOCAL_RANK``, beside ``MASTER_ADDR``, by which ranks find each other.

    Example:
        >>> launched() is None  # no launcher has started this test
        True
    """
    try:
        rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        local = int(os.environ.get("LOCAL_RANK", rank))
        restarts = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0))
    except (KeyError, ValueError):
        return None
    return Place(rank, size, local, restarts) if size > 1 and "MASTER_ADDR" in os.environ else None


def tell_launcher(message: str) -> None:
    """Leave what ended this rank where the launcher looks for it, if it does."""
    file = os.environ.get("TORCHELASTIC_ERROR_FILE")
    if file:
        with suppress(OSError):
            Path(file).write_text(json.dumps({"message": message, "timestamp": int(time.time())}), encoding="utf-8")
