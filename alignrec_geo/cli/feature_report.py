"""The page on features that ``probe`` and ``features describe`` write with ``--report``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alignrec_geo.cli.output import stderr

if TYPE_CHECKING:
    from alignrec_geo.dataset.store import Dataset

ReportOption = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE", help="Also write a page (HTML) with neighbours' images and a map."),
]
ColourOption = Annotated[
    str | None,
    typer.Option("--colour", metavar="COLUMN", help="What the map of --report is coloured by; default a category."),
]
MapOption = Annotated[str, typer.Option("--map", help="Map of --report: pca, or umap if umap-learn is installed.")]


def check_report(data: "Dataset", colour: str | None, how: str) -> None:
    """Refuse what the page cannot show before anything is computed.

    Raises:
        InputError: no such column or map, or the map's package is missing.
    """
    from alignrec_geo.reporting.feature_space import coloured, opened_map

    coloured(data, colour)
    opened_map(how)


def write_report(
    data: "Dataset",
    names: Sequence[str],
    path: Path,
    table: tuple[Sequence[str], Sequence[Sequence[str]]],
    probed: Sequence[Mapping[str, Any]],
    colour: str | None,
    how: str,
) -> None:
    """Write the page and say where it is; see :func:`~alignrec_geo.reporting.feature_page.write_feature_page`."""
    from alignrec_geo.reporting.feature_page import write_feature_page  # loads matplotlib

    write_feature_page(data, names, path, table, probed, colour, how)
    stderr.print(f"the page is {path}", soft_wrap=True)
