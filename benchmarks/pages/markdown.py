"""Tables and numbers in Markdown, as the pages of measurements write them."""

from collections.abc import Mapping, Sequence
from typing import Any

Result = Mapping[str, Any]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


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
    """Median and quartiles."""
    return f"{seconds(timing['median'])} ({seconds(timing['lower'])} – {seconds(timing['upper'])})"
