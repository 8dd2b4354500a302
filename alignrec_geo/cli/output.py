"""What verbs print: people read standard error and tables, programs read one JSON object on standard output."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from alignrec_geo.cli.flags import in_options
from alignrec_geo.plain import CONTROLS, printable

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output and nothing else.")]

UNBOUNDED = 10_000
"""Width of what is printed into a file or a pipe: a table takes as much of it as it needs."""
STREAMS = {False: "standard output", True: "standard error"}


class PlainConsole(Console):
    """A console to which every text is text: no markup, no emoji codes, no control characters, one line each.

    Titles, ids, names and paths come from files, so this is the one place that decides what reaches a terminal.

    Args:
        to_stderr: write to standard error rather than to standard output.
    """

    def __init__(self, to_stderr: bool = False) -> None:
        super().__init__(stderr=to_stderr, highlight=False, markup=False, emoji=False)

    def print(self, *objects: Any, **options: Any) -> None:
        """Print; a failure names the stream, for the error of the system does not."""
        try:
            super().print(*objects, **options)
        except OSError as error:
            error.filename = error.filename or STREAMS[self.stderr]
            raise

    def render_str(self, text: str, **options: Any) -> Text:
        """Turn a text, also one in a table, into what is printed."""
        return super().render_str(printable(text), **{**options, "markup": False, "emoji": False})


def redraws(console: Console) -> bool:
    """Whether what was printed can be replaced: the console is a terminal that knows how."""
    return console.is_terminal and not console.is_dumb_terminal


stderr = PlainConsole(to_stderr=True)
"""Progress, notes and warnings."""
stdout = PlainConsole()
"""Results for people."""


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object on standard output.

    Control characters are escaped, as JSON can, and so is every other letter where the output cannot take it.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    text = CONTROLS.sub(lambda found: f"\\u{ord(found.group()):04x}", text)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, ensure_ascii=True, allow_nan=False)
    try:
        typer.echo(text)
    except OSError as error:
        error.filename = error.filename or STREAMS[False]
        raise


def print_notes(notes: Iterable[str], most: int = 10) -> None:
    """Print notes on standard error, the first ``most`` of them."""
    said = list(notes)
    for note in said[:most]:
        stderr.print(f"note: {in_options(note)}", soft_wrap=True)
    if len(said) > most:
        stderr.print(f"note: … and {len(said) - most} more (all are in dataset.json)", soft_wrap=True)


def print_table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]], left: Sequence[str] = ()) -> None:
    """Print a table on standard output: the first column and those of ``left`` left, the others right-aligned.

    No cell is cut: where a terminal is too narrow its text goes on in the next line, and what is piped has lines as
    long as they need to be.
    """
    table = Table(title=title, title_justify="left")
    for number, name in enumerate(header):
        table.add_column(name, justify="left" if number == 0 or name in left else "right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    stdout.print(table, width=None if stdout.is_terminal else UNBOUNDED)


def print_metrics(title: str, metrics: Mapping[str, float]) -> None:
    """Print metrics as a table, one row per metric and one column per cutoff."""
    names = list(dict.fromkeys(key.split("@")[0] for key in metrics))
    cutoffs = list(dict.fromkeys(key.split("@")[1] for key in metrics))
    rows = [
        [name, *(f"{metrics[key]:.4f}" if (key := f"{name}@{k}") in metrics else "–" for k in cutoffs)]
        for name in names
    ]
    print_table(title, ["metric", *(f"@{k}" for k in cutoffs)], rows)


def print_held_out(losses: Mapping[str, float], items: int) -> None:
    """Print what stage 1 says of items it was not trained on."""
    rows = [
        (key, f"{value:.4f}", f"{losses[f'{key} shuffled']:.4f}")
        for key, value in losses.items()
        if f"{key} shuffled" in losses
    ]
    header = ("to predict", "right partner", "shuffled partner")
    print_table(f"Losses on {items} items that were not trained on", header, rows)
