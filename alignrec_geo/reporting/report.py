"""Everything a comparison is reported by, written into one folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alignrec_geo.files import atomic_path
from alignrec_geo.reporting import figures, tables
from alignrec_geo.reporting.html import page
from alignrec_geo.reporting.rows import summarise


def write_report(results: Mapping[str, Any], out: Path) -> None:
    """Write ``table.md``, ``table.csv``, ``table.tex``, ``figures/`` and ``report.html``.

    Args:
        results: the content of ``results.json`` (see :mod:`alignrec_geo.comparison.results`).
        out: an existing folder.
    """
    rows = summarise(results)
    drawn = {
        "quality": (
            "Recall@20 and NDCG@20, mean and standard deviation over seeds",
            figures.quality(rows, results["reference"]),
        ),
        "cost": ("Quality against the time it takes", figures.cost(rows, results["reference"])),
        "item-groups": ("Recall@20 by items' popularity", figures.item_groups(results)),
    }
    images = []
    for name, (title, figure) in drawn.items():
        if figure is None:
            continue
        svg = figures.as_svg(figure)
        images.append((title, svg))
        _write(out / "figures" / f"{name}.svg", svg.encode())
        _write(out / "figures" / f"{name}.png", figures.as_png(figure))
    for name, text in (("md", tables.markdown(rows)), ("csv", tables.as_csv(rows)), ("tex", tables.latex(rows))):
        _write(out / f"table.{name}", text.encode())
    _write(out / "report.html", page(results, rows, images).encode())


def _write(path: Path, content: bytes) -> None:
    with atomic_path(path) as staging:
        staging.write_bytes(content)
