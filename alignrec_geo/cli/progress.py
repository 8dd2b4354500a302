"""The progress of a training run on standard error: one line that fits the terminal, or a line now and then."""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.table import Table
from rich.text import Text

from alignrec_geo.cli.output import stderr
from alignrec_geo.observer import Observer

_WEIGHT = 0.05
"""Weight of the newest step in the running mean of a loss term."""
PAUSE = 30.0
"""Seconds between lines where there is no terminal that can redraw one."""


class Line(NamedTuple):
    """What there is to say at a moment.

    Args:
        head: the epoch.
        done: steps made in this epoch.
        steps: steps of an epoch.
        value: the last validation and the best, in words.
        short: the same where there is little room.
        left: the time that is left at most; empty while nothing is known.
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
            >>> value, short, left = "recall@20 0.1432 (best 0.1501)", "best 0.1501", "≤ 2:31 left"
            >>> line = Line("epoch 3 of 6", 4, 9, value, short, left, ["bpr 0.5"])
            >>> line.fitted(120)
            (20, '4/9  recall@20 0.1432 (best 0.1501)  ≤ 2:31 left  bpr 0.5')
            >>> line.fitted(80)
            (10, '4/9  recall@20 0.1432 (best 0.1501)  ≤ 2:31 left')
            >>> line.fitted(45)
            (4, 'best 0.1501  ≤ 2:31 left')
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
    """

    def __init__(self, metric: str, epochs: int, console: Console = stderr) -> None:
        self._metric, self._epochs, self._console = metric, epochs, console
        self._means: dict[str, float] = {}
        self._best = float("-inf")
        self._value = self._short = ""
        self._epoch = self._steps = self._done = self._made = 0
        self._started = self._said = time.monotonic()
        redraws = console.is_terminal and not console.is_dumb_terminal
        self._live = Live(self, console=console, transient=True, refresh_per_second=4) if redraws else None

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
        head = f"epoch {self._epoch + 1} of {self._epochs}"
        return Line(head, self._done, self._steps, self._value, self._short, self._left(), losses)

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
        if self._live is None and time.monotonic() - self._said > PAUSE:
            self._said = time.monotonic()
            line = self.line()
            parts = [self._value, self._left(), *line.losses]
            self._console.print(f"{line.head}: {', '.join(filter(None, parts))}", soft_wrap=True)

    def take(self, record: Mapping[str, Any]) -> None:
        """Take in what an epoch's record says."""
        if "validation" in record:
            value = record["validation"][self._metric]
            self._best = max(self._best, value)
            self._short = f"best {self._best:.4f}"
            self._value = f"{self._metric} {value:.4f} ({self._short})"

    def _left(self) -> str:
        """The time that all epochs would take, which early stopping may shorten."""
        remaining = (self._epochs - self._epoch) * self._steps - self._done
        if not self._made or remaining <= 0:
            return ""
        seconds = (time.monotonic() - self._started) / self._made * remaining
        minutes, rest = divmod(round(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        clock = f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
        sign = "≤" if (self._console.encoding or "").lower().startswith("utf") else "<="
        return f"{sign} {clock} left"


def _bar(share: float, width: int, plain: bool) -> Text:
    """A bar whose end is seen without colours too."""
    full = min(width, int(share * width))
    done, rest = "#-" if plain else "━┄"
    return Text.assemble((done * full, "bar.complete"), (rest * (width - full), "bar.back"))


class PretrainProgress(TrainingProgress):
    """As in training, with the losses on held-out items in place of a validation metric."""

    def __init__(self, epochs: int, console: Console = stderr) -> None:
        super().__init__("", epochs, console)

    def take(self, record: Mapping[str, Any]) -> None:
        """Take in the held-out losses, if there are any."""
        if "held_out" in record:
            right = [f"{key} {value:.3f}" for key, value in record["held_out"].items() if " " not in key]
            self._value = f"held out: {', '.join(right)}"
            self._short = f"held out: {right[0]}" if right else ""
