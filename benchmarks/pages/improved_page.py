"""The tables of docs/improved.md, made of what was tried.

python benchmarks improved_page
"""

from collections import defaultdict
from pathlib import Path
from statistics import mean
from typing import Any

from harness.machine import RESULTS
from harness.program import run_program
from pages.markdown import between_marks

from alignrec_geo.files import atomic_path, read_json

PAGE = Path(__file__).resolve().parents[2] / "docs" / "improved.md"
STORED = "improved-trials"
BEGIN = "<!-- trials: python benchmarks improved_page -->"
SETS = {"tiktok": "TikTok", "toys": "Toys", "ml-100k": "ML-100K", "ml-1m": "ML-1M"}
JUDGED = ("tiktok", "toys")
"""Data sets by whose mean gain the rows are sorted: every idea was tried on both, of those with two modalities."""

DIP = "toys"
"""Where validation falls from the first epoch to the sixth before it rises: runs with less patience end there."""

Row = dict[str, Any]


def gains(rows: list[Row]) -> dict[str, dict[str, tuple[float, float, float, bool]]]:
    """By change and data set: the mean gain of Recall@20 and NDCG@20 over the same seeds without the change, the mean
    best epoch, and whether the machine time ended first."""
    plain = {(row["round"], row["from"], row["data"], row["seed"]): row for row in rows if not row["change"]}
    found: dict[str, dict[str, list[tuple[float, float, float, bool]]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        before = plain.get((row["round"], row["from"], row["data"], row["seed"]))
        if row["change"] and before is not None:
            shares = (row[key] / before[key] - 1.0 for key in ("recall@20", "ndcg@20"))
            found[row["change"]][row["data"]].append((*shares, row["best_epoch"], row["cut"]))
    return {
        change: {
            data: (
                mean(g[0] for g in each),
                mean(g[1] for g in each),
                mean(g[2] for g in each),
                any(g[3] for g in each),
            )
            for data, each in by_data.items()
        }
        for change, by_data in found.items()
    }


def table(rows: list[Row], origin: str) -> str:
    """A Markdown table of the changes to ``origin``, the best on top."""
    found = gains([row for row in rows if row["from"] == origin])
    order = sorted(found, key=lambda change: -mean(sum(found[change][d][:2]) for d in JUDGED if d in found[change]))
    lines = [f"| change | {' | '.join(SETS.values())} |", "|---" + "|--:" * len(SETS) + "|"]
    return "\n".join([*lines, *(f"| `{change}` | {' | '.join(_cells(found[change]))} |" for change in order), ""])


def _cells(by_data: dict[str, tuple[float, float, float, bool]]) -> list[str]:
    cells = []
    for data in SETS:
        if data not in by_data:
            cells.append("")
            continue
        recall, ndcg, epoch, cut = by_data[data]
        text = f"{100 * recall:+.1f} / {100 * ndcg:+.1f}".replace("-", "−") + ("†" if data == DIP and epoch < 7 else "")
        cells.append(f"({text})" if cut else text)
    return cells


def section(stored: dict[str, Any]) -> str:
    """Both tables with their headings."""
    return (
        f"### Changes to P\n\n{table(stored['rows'], 'P')}\n### Single changes to AlignRec\n\n"
        f"{table(stored['rows'], 'AlignRec')}"
    )


def updated(page: str, stored: dict[str, Any]) -> str:
    """The page with the tables of ``stored``."""
    return between_marks(page, BEGIN, f"\n{section(stored)}\n", PAGE.name)


def main() -> None:
    """Write the tables into the page."""
    text = updated(PAGE.read_text(encoding="utf-8"), read_json(RESULTS / f"{STORED}.json"))
    with atomic_path(PAGE) as staging:
        staging.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run_program(main)
