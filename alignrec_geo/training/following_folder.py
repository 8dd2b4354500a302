"""The run folder as the ranks see it that do not write it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import polars as pl

from alignrec_geo.dataset.store import Dataset
from alignrec_geo.serving.folding import Folding
from alignrec_geo.training.run_config import RunConfig
from alignrec_geo.training.run_folder import RunFolder


class FollowingFolder(RunFolder):
    """Reads what a run is continued from, takes part in writing tables that lie apart, and writes no file itself."""

    @contextmanager
    def writing(
        self, dataset: Dataset, config: RunConfig, resume: bool = False, overwrite: bool = False
    ) -> Iterator[None]:
        """Leave the checks and the lock to the first rank."""
        yield

    def settle(self) -> None:
        """Nothing: the first rank moves the folder to its place."""

    def reopen(self) -> None:
        """Nothing: the first rank does."""

    def keep_epochs(self, count: int) -> None:
        """Nothing: the log is the first rank's."""

    def log(self, record: Mapping[str, Any]) -> None:
        """Nothing, likewise."""

    def write_folding(self, folding: Folding | None) -> None:
        """Nothing: the first rank does."""

    def write_result(self, result: Mapping[str, Any], per_user: pl.DataFrame | None) -> None:
        """Nothing, likewise."""

    def drop_state(self) -> int:
        """Nothing, likewise."""
        return 0
