"""The progress bar of a training run, on standard error."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from alignrec_geo.cli.output import stderr
from alignrec_geo.training.observer import Observer

_WEIGHT = 0.05
"""Weight of the newest step in the running mean of a loss term."""


class TrainingProgress(Observer):
    """Shows the epoch, its steps, the running mean of every loss term by name, and the last validation.

    Args:
        metric: the validation metric to show.
        epochs: the most epochs there will be.
    """

    def __init__(self, metric: str, epochs: int) -> None:
        self._metric, self._epochs = metric, epochs
        self._means: dict[str, float] = {}
        self._validation = ""
        self._best = float("-inf")
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[losses]}"),
            TextColumn("{task.fields[validation]}"),
            console=stderr,
            transient=True,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def epoch_started(self, epoch: int, steps: int) -> None:
        """Start the epoch's bar."""
        if self._task is None:
            self._task = self._bar.add_task("", total=steps, losses="", validation="")
        self._bar.reset(self._task, total=steps, description=f"epoch {epoch + 1} of at most {self._epochs}")

    def step_done(self, terms: Mapping[str, float]) -> None:
        """Advance by one step."""
        for name, value in terms.items():
            self._means[name] = value + (1 - _WEIGHT) * (self._means.get(name, value) - value)
        if self._task is not None:
            losses = " ".join(f"{name} {value:.4f}" for name, value in self._means.items())
            self._bar.update(self._task, advance=1, losses=losses)

    def epoch_done(self, record: Mapping[str, Any]) -> None:
        """Show the validation, if there was one."""
        if "validation" not in record:
            return
        value = record["validation"][self._metric]
        self._best = max(self._best, value)
        self.say(f"validation {self._metric} {value:.4f} (best {self._best:.4f})")

    def say(self, text: str) -> None:
        """Show a text at the end of the bar."""
        if self._task is not None:
            self._bar.update(self._task, validation=text)


class PretrainProgress(TrainingProgress):
    """As in training, with the losses on held-out items in place of a validation metric."""

    def __init__(self, epochs: int) -> None:
        super().__init__("", epochs)

    def epoch_done(self, record: Mapping[str, Any]) -> None:
        """Show the held-out losses, if there are any."""
        if "held_out" in record:
            right = " ".join(f"{key} {value:.3f}" for key, value in record["held_out"].items() if " " not in key)
            self.say(f"held out: {right}")
