"""Everything a comparison is reported by, written into one folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alignrec_geo.files import atomic_path
from alignrec_geo.reporting import comparison_charts, tables
from alignrec_geo.reporting.comparison_page import comparison_page
from alignrec_geo.reporting.rows import summarise


def write_report(results: Mapping[str, Any], out: Path) -> None:
    """Write ``table.md``, ``table.csv``, ``table.tex``, ``figures/`` and ``report.html``.

    Args:
        results: the content of ``results.json`` (see :mod:`alignrec_geo.comparison.results`).
        out: an existing folder.
    """
    rows = summarise(results)
    ordered = sorted(rows, key=lambda row: row.non_learned)
    quality = comparison_charts.quality(ordered, results["reference"])
    cost = comparison_charts.cost(ordered, results["reference"])
    files = dict(zip(("recall", "ndcg"), quality, strict=False))
    if cost is not None:
        files["cost"] = cost
    for number, panel in enumerate(comparison_charts.groups(results, ordered, "items"), start=1):
        files[f"items-{number}"] = panel
    for name, chart in files.items():
        _write(out / "figures" / f"{name}.svg", chart.file().encode())
        _write(out / "figures" / f"{name}.png", chart.png())
    for name, text in (
        ("md", tables.markdown(rows, results["reference"])),
        ("csv", tables.as_csv(rows)),
        ("tex", tables.latex(rows, results["reference"])),
    ):
        _write(out / f"table.{name}", text.encode())
    _write(out / "report.html", comparison_page(results, rows, quality, cost).encode())


def _write(path: Path, content: bytes) -> None:
    with atomic_path(path) as staging:
        staging.write_bytes(content)
