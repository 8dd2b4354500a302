"""Draw every figure of the documentation: charts from the stored results, and diagrams.

    python benchmarks figures

Each is written twice, ``NAME.svg`` and ``NAME-narrow.svg`` for a phone; the site shows the one that fits.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Protocol

import typer
from harness.machine import RESULTS
from harness.program import run_program
from pages import diagrams, speed_charts
from pages.markdown import read

from alignrec_geo.files import atomic_path
from alignrec_geo.reporting import comparison_charts
from alignrec_geo.reporting.charts import Chart
from alignrec_geo.reporting.rows import summarise

IMAGES = RESULTS.parents[1] / "docs" / "images"
Result = Mapping[str, Any]


class Drawing(Protocol):
    """What can be drawn wide and narrow."""

    def file(self, narrow: bool = False) -> str:
        """An SVG file."""


class Figure(NamedTuple):
    """One figure.

    Args:
        page: the page that shows it.
        needs: results, the first of which must be there.
        draw: makes it of the results.
    """

    page: str
    needs: str
    draw: Callable[[Mapping[str, Result]], Drawing]


def figures(results: Mapping[str, Result], page: str | None = None) -> Iterator[tuple[str, Drawing]]:
    """The figures whose results are there, by name.

    Args:
        results: stored results by name.
        page: only those of this page.
    """
    for name, figure in FIGURES.items():
        if (page is None or figure.page == page) and (not figure.needs or figure.needs in results):
            yield name, figure.draw(results)


def write_figures(results: Mapping[str, Result], images: Path, page: str | None = None) -> None:
    """Write the figures of a page, or all."""
    images.mkdir(parents=True, exist_ok=True)
    for name, drawing in figures(results, page):
        for suffix, narrow in (("", False), ("-narrow", True)):
            with atomic_path(images / f"{name}{suffix}.svg") as staging:
                staging.write_text(drawing.file(narrow) + "\n", encoding="utf-8")


def _quality(name: str, title: str) -> Callable[[Mapping[str, Result]], Chart]:
    def draw(results: Mapping[str, Result]) -> Chart:
        result = results[name]
        return replace(comparison_charts.quality(summarise(result), result["reference"])[0], title=title, width=680)

    return draw


def _time_to_quality(name: str) -> Callable[[Mapping[str, Result]], Chart]:
    return lambda results: speed_charts.time_to_quality(results[name])


def _cost(name: str, title: str) -> Callable[[Mapping[str, Result]], Chart]:
    def draw(results: Mapping[str, Result]) -> Chart:
        chart = comparison_charts.cost(summarise(results[name]), results[name]["reference"])
        assert chart is not None, "a comparison of several trained models"
        return replace(chart, title=title, width=680, height=360)

    return draw


FIGURES = {
    "pipeline": Figure("index", "", lambda _: diagrams.pipeline()),
    "architecture": Figure("concepts", "", lambda _: diagrams.architecture()),
    "stage-1": Figure("content", "", lambda _: diagrams.stage_one()),
    "tiktok-quality": Figure("results", "tiktok-table", _quality("tiktok-table", "Recall@20 on TikTok")),
    "tiktok-cost": Figure("results", "tiktok-table", _cost("tiktok-table", "Quality against time on TikTok")),
    "toys-quality": Figure("results", "plus-toys", _quality("plus-toys", "Recall@20 on Toys")),
    "ml-1m-quality": Figure("results", "plus-ml-1m", _quality("plus-ml-1m", "Recall@20 on MovieLens 1M")),
    "ml-100k-quality": Figure("results", "ml-100k-table", _quality("ml-100k-table", "Recall@20 on MovieLens 100K")),
    "ml-100k-cost": Figure(
        "results", "ml-100k-table", _cost("ml-100k-table", "Quality against time on MovieLens 100K")
    ),
    "layers": Figure("custom-layer", "layers-tiktok", _quality("layers-tiktok", "Recall@20 by layer on TikTok")),
    "speed": Figure("performance", "epoch", speed_charts.overview),
    "kernels": Figure("performance", "kernels", lambda results: speed_charts.over_limit(results["kernels"])),
    "gpu-steps": Figure("performance", "gpu", lambda results: speed_charts.gpu_steps(results["gpu"])),
    "growth": Figure("performance", "scale", lambda results: speed_charts.growth(results["scale"])),
    **{
        name: Figure("performance", name, _time_to_quality(name))
        for name in ("time-to-quality-tiktok", "time-to-quality-tiktok-lr3", "time-to-quality-baby")
    },
}


def main(
    results: Annotated[Path, typer.Option(help="Folder of results.")] = RESULTS,
    images: Annotated[Path, typer.Option(help="Where the figures go.")] = IMAGES,
) -> None:
    """Draw all figures."""
    write_figures(read(results), images)
    print(images)


if __name__ == "__main__":
    run_program(main)
