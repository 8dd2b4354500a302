"""What the commands of ``data import`` share: their options, and how they end."""

import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.filesize import decimal

from alignrec_geo.cli.data_summary import counts_line, summary
from alignrec_geo.cli.output import print_json, print_notes, stdout
from alignrec_geo.cli.progress_bars import working

if TYPE_CHECKING:
    from alignrec_geo.dataset.store import Dataset

LARGE = 20_000_000
"""Bytes from which on reading takes seconds."""

Rule = Literal["random", "leave-last", "global-time", "cold-items", "cold-users", "all-train"]

FolderArgument = Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder to read.", show_default=False)]
OutOption = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write.", show_default=False)]
NameOption = Annotated[
    str | None, typer.Option("--name", help="Name of the data set; that of its folder if not given.")
]
OverwriteFlag = Annotated[bool, typer.Option("--overwrite", help="Replace the folder of --out.")]
UserColumn = Annotated[str, typer.Option("--user", metavar="COLUMN", help="Column of the user id.")]
ItemColumn = Annotated[str, typer.Option("--item", metavar="COLUMN", help="Column of the item id.")]
RatingColumn = Annotated[str | None, typer.Option("--rating", metavar="COLUMN", help="Column of the rating.")]
TimestampColumn = Annotated[
    str | None, typer.Option("--timestamp", metavar="COLUMN", help="Column of the time (number or ISO).")
]
RuleOption = Annotated[Rule | None, typer.Option("--rule", help="Split rule; random (8:1:1 per user) if not given.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Seed of the split rule.")]
MinRatingOption = Annotated[float | None, typer.Option("--min-rating", help="Keep rows rated at least this.")]
KCoreOption = Annotated[int, typer.Option("--k-core", help="Keep users and items with at least this many rows.")]
ItemsOption = Annotated[Path | None, typer.Option("--items", metavar="FILE", help="Table of item metadata.")]
TextOption = Annotated[
    list[str] | None,
    typer.Option("--text", metavar="COLUMN", help="Text column of --items; a.b reaches into fields. Repeatable."),
]
KeepHtmlFlag = Annotated[bool, typer.Option("--keep-html", help="Leave HTML in titles and texts.")]
AllItemsFlag = Annotated[bool, typer.Option("--all-items", help="Keep items without interactions.")]
ImagesOption = Annotated[
    Path | None,
    typer.Option("--images", metavar="PATH", help="Folder, tar or zip of images called ITEM-ID.jpg."),
]


def dataset_name(given: str | None, out: Path) -> str:
    """What a data set is called: as its folder if not otherwise, so that it has one name wherever it is mentioned."""
    return given or out.resolve().name


def write(
    read: "Callable[[], Dataset]", out: Path, overwrite: bool, json_: bool, inputs: Iterable[Path | None]
) -> None:
    """Read a data set, save it and say what it is.

    Args:
        read: reads it.
        out: its folder.
        overwrite: replace a data set that is there.
        json_: print JSON.
        inputs: files and folders that are not to be replaced.
    """
    from alignrec_geo.dataset.manifest import DATA_SET
    from alignrec_geo.folders import folder_target

    start, inputs = time.perf_counter(), list(inputs)
    folder_target(out, DATA_SET, overwrite, inputs)
    with _said(inputs):
        saved = read().save(out, overwrite)
    seconds = time.perf_counter() - start
    if json_:
        print_json({**summary(saved), "notes": saved.notes, "seconds": round(seconds, 2)})
        return
    print_notes(saved.notes)
    stdout.print(counts_line(saved), soft_wrap=True)


def _said(inputs: Iterable[Path | None]) -> AbstractContextManager[None]:
    """Say what is read where it takes a while: ``reading clicks.csv (1.2 GB)``."""
    paths = [path for path in inputs if path is not None]
    size = sum(path.stat().st_size for path in paths if path.is_file())
    if size < LARGE:
        return nullcontext()
    named = ", ".join(path.name for path in paths[:3]) + (", …" if len(paths) > 3 else "")
    return working(f"reading {named} ({decimal(size)})")
