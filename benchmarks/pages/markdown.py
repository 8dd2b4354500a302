"""Tables and numbers in Markdown, as the pages of measurements write them."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from alignrec_geo.errors import InputError

Result = Mapping[str, Any]
NUMBER = re.compile(r"\**[+−-]?[\d.,]+( |\*|×|%|$)")


END = "<!-- end -->"
LONGEST = 32
"""Characters of a number with its unit and spread; what is longer may be broken."""


def read(folder: Path) -> dict[str, Result]:
    """All stored results by name."""
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; columns of numbers stand on the right, and the site does not break them."""
    columns = zip(*rows, strict=True) if rows else [()] * len(head)
    rules = ["---:" if _numbers(column) else "---" for column in columns]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, rules, *rows]) + "\n"


def _numbers(cells: Iterable[str]) -> bool:
    """Whether the cells begin with numbers, but for empty ones."""
    shown = [cell for cell in cells if cell.strip("–")]
    return bool(shown) and all(NUMBER.match(cell) and len(cell) <= LONGEST for cell in shown)


def between_marks(text: str, begin: str, new: str, page: str) -> str:
    """A text with ``new`` in place of what stands between its marks.

    Args:
        text: of the page.
        begin: the mark before it; the one after it is :data:`END`.
        new: what goes there.
        page: its name, for the error.

    Raises:
        InputError: a mark is missing.
    """
    before, first, rest = text.partition(begin)
    _, last, after = rest.partition(END)
    if not (first and last):
        raise InputError(f"{page} needs the marks '{begin}' and '{END}' around what is put in")
    return f"{before}{begin}\n{new}{END}{after}"


def folded(summary: str, text: str) -> str:
    """Text that is unfolded by a click, on the site and on GitHub."""
    return f'<details markdown="1">\n<summary>{summary}</summary>\n\n{text.rstrip()}\n\n</details>\n'


def origin(result: Result) -> str:
    """Where numbers come from: command, machine, versions, date."""
    machine = result["machine"]
    versions = {**machine["versions"], **result.get("packages", {}), **result.get("peer_versions", {})}
    given = ", ".join(f"{name} {version}" for name, version in versions.items())
    where = f"{result.get('device', 'cpu').replace('cpu', machine['cpu'])}, {machine['threads']} threads"
    return f"<sub>`{result['command']}` · {where} · Python {machine['python']}, {given} · {machine['date']}</sub>\n"


def seconds(value: float) -> str:
    """Three digits with a fitting unit.

    Example:
        >>> seconds(0.01234), seconds(4.5)
        ('12.3 ms', '4.50 s')
    """
    unit, scale = ("s", 1.0) if value >= 1 else ("ms", 1e3) if value >= 1e-3 else ("µs", 1e6)
    return f"{value * scale:#.3g}".rstrip(".") + f" {unit}"


def median(value: Any) -> float:
    """Of a timing, its median; a number is its own."""
    return float(value["median"]) if isinstance(value, Mapping) else float(value)


def times(value: float) -> str:
    """A factor.

    Example:
        >>> times(12.3456), times(1.2345)
        ('12.35×', '1.23×')
    """
    return f"{value:.2f}×"


def spread(timing: Result) -> str:
    """Median and quartiles.

    Example:
        >>> spread({"median": 0.0578, "lower": 0.0567, "upper": 0.0581})
        '57.8 ms (56.7 – 58.1)'
    """
    middle, low, high = (seconds(timing[name]) for name in ("median", "lower", "upper"))
    unit = middle.rpartition(" ")[2]
    if low.endswith(f" {unit}") and high.endswith(f" {unit}"):
        low, high = (text.removesuffix(f" {unit}") for text in (low, high))
    return f"{middle} ({low} – {high})"
