"""What TensorBoard, MLflow and Weights & Biases have in common."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from alignrec_geo.observer import Observer


class Tracker(Observer):
    """An observer that is also told what is trained and how it ended. Its methods may fail: the run goes on.

    Attributes:
        name: what people call it.
    """

    name = ""

    def run_started(self, called: str, settings: Mapping[str, Any], before: str | None) -> str | None:
        """Training begins, or goes on.

        Args:
            called: name of the run.
            settings: every setting by its whole name.
            before: what this method returned when the run was started, if it is resumed.

        Returns:
            What finds the record of the run again; ``None`` if that is not possible.
        """
        return None

    def run_ended(self, metrics: Mapping[str, float], files: Sequence[Path]) -> None:
        """Training has ended.

        Args:
            metrics: ``test/recall@20`` and so on, of the chosen epoch.
            files: what is worth keeping with them: report, settings, result.
        """

    def run_failed(self, stopped: bool) -> None:
        """Training ended with an error, or was ``stopped`` by the user."""


def scalars(record: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The numbers of an epoch by name.

    Example:
        >>> list(scalars({"epoch": 0, "loss": {"bpr": 0.7}, "lr": 0.001, "validation": {"recall@20": 0.1}}))
        [('loss/bpr', 0.7), ('validation/recall@20', 0.1), ('lr', 0.001)]
    """
    for group in ("loss", "validation"):
        for name, value in (record.get(group) or {}).items():
            yield f"{group}/{name}", value
    yield "lr", record["lr"]
