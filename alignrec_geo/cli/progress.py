"""The progress of a training run on standard error: one line that fits the terminal, or a line now and then."""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.table import Table
from rich.text import Text

from alignrec_geo.cli.output import redraws, stderr
from alignrec_geo.observer import Observer

_WEIGHT = 0.05
"""Weight of the newest step in the running mean of a loss term."""
PAUSE = 30.0
"""Where there is no terminal that can redraw a line, a new one is due after so many seconds, …"""
LINES = 10
"""… after another tenth of the epochs, and after every epoch where there are no more than twice as many."""


class Line(NamedTuple):
    """What there is to say at a moment.

    Args:
        head: the epoch.
        done: steps made in this epoch.
        steps: steps of an epoch.
        value: the last validation and the best, in words.
        short: the same where there is little room.
        left: the time so far and what is left at most; empty while nothing is known.
        losses: the loss terms.
    """

    head: str
    done: int
    steps: int
    value: str
    short: str
    left: str
    losses: list[str]

    def fitted(self, width: int) -> tuple[int, str]:
        """The width of the bar and what stands to the right of it, so that all fits into ``width`` columns.

        Loss terms go first, then the number of steps, then the last validation; the best one and the time stay.

        Example:
            >>> value, short, left = "recall@20 0.1432 (best 0.1501)", "best 0.1501", "1:15, ≤ 2:31 left"
            >>> line = Line("epoch 3 of 6", 4, 9, value, short, left, ["bpr 0.5"])
            >>> line.fitted(120)
            (20, '4/9  recall@20 0.1432 (best 0.1501)  1:15, ≤ 2:31 left  bpr 0.5')
            >>> line.fitted(80)
            (10, '4/9  recall@20 0.1432 (best 0.1501)  1:15, ≤ 2:31 left')
            >>> line.fitted(50)
            (4, 'best 0.1501  1:15, ≤ 2:31 left')
        """
        count = f"{self.done}/{self.steps}"
        forms = (
            (20, [count, self.value, self.left]),
            (10, [count, self.value, self.left]),
            (8, [self.value, self.left]),
            (8, [self.short, self.left]),
            (4, [self.short, self.left]),
            (4, [self.left]),
        )
        for bar, parts in forms:
            text = "  ".join(filter(None, parts))
            room = width - len(self.head) - bar - len(text) - 2
            if room >= 0:
                break
        else:
            bar, text, room = 4, "", 0
        for loss in self.losses:
            if count not in text or len(loss) + 2 > room:  # never in place of something that was left out
                break
            text, room = f"{text}  {loss}", room - len(loss) - 2
        return bar, text


class TrainingProgress(Observer):
    """Shows the epoch, its steps, the last validation and the best, the time left, and every loss term by name.

    Args:
        metric: the validation metric to show.
        epochs: the most epochs there will be.
        console: where.
        label: what is trained, where a verb trains several things.
    """

    def __init__(self, metric: str, epochs: int, console: Console = stderr, label: str = "") -> None:
        self._metric, self._epochs, self._console = metric, epochs, console
        self._label = f"{label}, " if label else ""
        self._means: dict[str, float] = {}
        self._best = float("-inf")
        self._value = self._short = ""
        self._epoch = self._steps = self._done = self._made = 0
        self._started = self._said = time.monotonic()
        live = Live(self, console=console, transient=True, refresh_per_second=4)
        self._live = live if redraws(console) else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the line of this moment."""
        if not self._steps:
            return
        line = self.line()
        bar, text = line.fitted(options.max_width)
        grid = Table.grid(padding=(0, 1))
        for _ in range(3):
            grid.add_column(no_wrap=True)
        grid.add_row(line.head, _bar(self._done / self._steps, bar, options.ascii_only), text)
        yield grid

    def line(self) -> Line:
        """What there is to say now."""
        losses = [f"{name} {value:.4f}" for name, value in self._means.items()]
        head = f"{self._label}epoch {self._epoch + 1} of {self._epochs}"
        return Line(head, self._done, self._steps, self._value, self._short, self._left(), losses)

    def training_started(self, facts: Mapping[str, Any]) -> None:
        """Say what is going to be trained, and where."""
        for line in what_starts(facts).splitlines():
            self._console.print(line, soft_wrap=True)

    def epoch_started(self, epoch: int, steps: int) -> None:
        """Start the epoch's bar."""
        if not self._made:
            self._started = time.monotonic()
        self._epoch, self._steps, self._done = epoch, steps, 0

    def step_done(self, terms: Mapping[str, float]) -> None:
        """Advance by one step."""
        for name, value in terms.items():
            self._means[name] = value + (1 - _WEIGHT) * (self._means.get(name, value) - value)
        self._done += 1
        self._made += 1

    def epoch_done(self, record: Mapping[str, Any]) -> None:
        """Take in the validation, if there was one; where no line can be redrawn, print one now and then."""
        self.take(record)
        if self._live is None and self._due():
            self._said = time.monotonic()
            line = self.line()
            parts = [self._value, self._left(), *line.losses]
            self._console.print(f"{line.head}: {', '.join(filter(None, parts))}", soft_wrap=True)

    def _due(self) -> bool:
        """Whether a log file should hear of this epoch."""
        tenth = self._epochs <= 2 * LINES or (self._epoch + 1) % -(-self._epochs // LINES) == 0
        return tenth or time.monotonic() - self._said > PAUSE

    def take(self, record: Mapping[str, Any]) -> None:
        """Take in what an epoch's record says."""
        if "validation" in record:
            value = record["validation"][self._metric]
            self._best = max(self._best, value)
            self._short = f"best {self._best:.4f}"
            self._value = f"{self._metric} {value:.4f} ({self._short})"

    def _left(self) -> str:
        """The time so far, and what all epochs would take, which early stopping may shorten."""
        remaining = (self._epochs - self._epoch) * self._steps - self._done
        if not self._made:
            return ""
        seconds = time.monotonic() - self._started
        sign = "≤" if (self._console.encoding or "").lower().startswith("utf") else "<="
        left = f", {sign} {_clock(seconds / self._made * remaining)} left" if remaining > 0 else ""
        return f"{_clock(seconds)}{left}"


def what_starts(facts: Mapping[str, Any]) -> str:
    """The facts of :meth:`Observer.training_started` as a line.

    Example:
        >>> facts = {"model": "lightgcn", "features": [], "parameters": 20480, "device": "cpu", "epochs": 9}
        >>> what_starts(facts)
        'lightgcn: 20,480 parameters on cpu, at most 9 epochs'
    """
    if not facts["parameters"]:
        return f"{facts['model']}: nothing to train"
    content = f" with {', '.join(facts['features'])}" if facts.get("features") else ""
    where = f"{facts['ranks']} ranks ({facts['device']})" if "ranks" in facts else facts["device"]
    epochs = f"at most {facts['epochs']:,} epochs"
    line = f"{facts['model']}{content}: {facts['parameters']:,} parameters on {where}, {epochs}"
    if not facts.get("new_items"):
        return line
    known = "this model knows nothing of them, and finds them by chance at best"
    if facts["placed"]:
        known = f"{facts['placed']:,} of them are placed by their content"
    return f"{line}\n{facts['new_items']:,} items have no training interaction: {known}"


def _clock(seconds: float) -> str:
    """Minutes and seconds, and hours where there are any."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _bar(share: float, width: int, plain: bool) -> Text:
    """A bar whose end is seen without colours too."""
    full = min(width, int(share * width))
    done, rest = "#-" if plain else "━┄"
    return Text.assemble((done * full, "bar.complete"), (rest * (width - full), "bar.back"))


class PretrainProgress(TrainingProgress):
    """As in training, with the losses on held-out items in place of a validation metric."""

    def __init__(self, epochs: int, console: Console = stderr) -> None:
        super().__init__("", epochs, console)

    def training_started(self, facts: Mapping[str, Any]) -> None:
        """Say what is going to be trained, and where."""
        self._console.print(
            f"stage 1 on {facts['items']:,} items, {facts['held_out']:,} held out: {facts['parameters']:,} parameters "
            f"on {facts['device']}, {facts['epochs']:,} epochs",
            soft_wrap=True,
        )

    def take(self, record: Mapping[str, Any]) -> None:
        """Take in the held-out losses, if there are any."""
        if "held_out" in record:
            right = [f"{key} {value:.3f}" for key, value in record["held_out"].items() if " " not in key]
            self._value = f"held out: {', '.join(right)}"
            self._short = f"held out: {right[0]}" if right else ""
