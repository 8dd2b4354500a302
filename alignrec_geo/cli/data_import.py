"""``data import``: from the files people have to a data set folder."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from alignrec_geo.cli.data_summary import counts_line, summary
from alignrec_geo.cli.output import JsonFlag, print_json, print_notes, stdout

if TYPE_CHECKING:
    from alignrec_geo.dataset.store import Dataset

app = typer.Typer(no_args_is_help=True, help="Make a data set folder from files.")

Rule = Literal["random", "leave-last", "global-time", "cold-items"]

FolderArgument = Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder to read.", show_default=False)]
OutOption = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write.", show_default=False)]
NameOption = Annotated[str | None, typer.Option("--name", help="Name of the data set; from the file if not given.")]
OverwriteFlag = Annotated[bool, typer.Option("--overwrite", help="Replace the folder of --out.")]
RuleOption = Annotated[Rule | None, typer.Option("--rule", help="Split rule; random (8:1:1 per user) if not given.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Seed of the split rule.")]
MinRatingOption = Annotated[float | None, typer.Option("--min-rating", help="Keep rows rated at least this.")]
KCoreOption = Annotated[int, typer.Option("--k-core", help="Keep users and items with at least this many rows.")]
ItemsOption = Annotated[Path | None, typer.Option("--items", metavar="FILE", help="Table of item metadata.")]
TextOption = Annotated[
    list[str] | None,
    typer.Option("--text", metavar="COLUMN", help="Text column of --items; a.b reaches into fields. Repeatable."),
]
AllItemsFlag = Annotated[bool, typer.Option("--all-items", help="Keep items without interactions.")]
ImagesOption = Annotated[
    Path | None,
    typer.Option("--images", metavar="PATH", help="Folder, tar or zip of images called ITEM-ID.jpg."),
]


@app.command("mmrec")
def mmrec(
    folder: FolderArgument,
    out: OutOption,
    name: NameOption = None,
    rule: RuleOption = None,
    seed: SeedOption = 0,
    overwrite: OverwriteFlag = False,
    json_: JsonFlag = False,
) -> None:
    """Import an MMRec folder: NAME.inter[.gz] with x_label, and X_feat.npy matrices.

    The split is that of x_label; --rule makes another.

    Example: alignrec-geo data import mmrec downloads/baby --out data/baby
    """
    from alignrec_geo.dataset.readers.mmrec import read_mmrec
    from alignrec_geo.dataset.splits import SplitConfig
    from alignrec_geo.settings import checked

    split = checked(SplitConfig, {"rule": rule, "seed": seed}) if rule else None
    default = checked(SplitConfig, {"seed": seed})
    _write(lambda: read_mmrec(folder, name, split, default), out, overwrite, json_, [folder])


@app.command("table")
def table(
    interactions: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="CSV, TSV, Parquet or JSON lines; text also .gz.", show_default=False),
    ],
    out: OutOption,
    user: Annotated[str, typer.Option("--user", metavar="COLUMN", help="Column of the user id.")] = "user",
    item: Annotated[str, typer.Option("--item", metavar="COLUMN", help="Column of the item id.")] = "item",
    rating: Annotated[str | None, typer.Option("--rating", metavar="COLUMN", help="Column of the rating.")] = None,
    timestamp: Annotated[
        str | None, typer.Option("--timestamp", metavar="COLUMN", help="Column of the time (number or ISO).")
    ] = None,
    split: Annotated[
        str | None,
        typer.Option("--split", metavar="COLUMN", help="Column of train/validation/test or 0/1/2."),
    ] = None,
    split_unused: Annotated[
        list[str] | None,
        typer.Option("--split-unused", metavar="VALUE", help="Value of --split that means no split. Repeatable."),
    ] = None,
    drop_unused: Annotated[bool, typer.Option("--drop-unused", help="Leave out the rows of no split.")] = False,
    skip_empty_ids: Annotated[
        bool, typer.Option("--skip-empty-ids", help="Leave out and count rows without a user or item id.")
    ] = False,
    columns: Annotated[
        str | None,
        typer.Option("--columns", metavar="A,B,…", help="Column names of a file without a header line."),
    ] = None,
    separator: Annotated[str | None, typer.Option("--separator", help="Separator of a text file.")] = None,
    min_rating: MinRatingOption = None,
    k_core: KCoreOption = 1,
    rule: RuleOption = None,
    seed: SeedOption = 0,
    items: ItemsOption = None,
    item_id: Annotated[
        str | None, typer.Option("--item-id", metavar="COLUMN", help="Item id column of --items; as --item.")
    ] = None,
    title: Annotated[str | None, typer.Option("--title", metavar="COLUMN", help="Title column of --items.")] = None,
    text: TextOption = None,
    all_items: AllItemsFlag = False,
    images: ImagesOption = None,
    feature: Annotated[
        list[str] | None,
        typer.Option("--feature", metavar="NAME=FILE", help="Feature matrix (.npy or a table). Repeatable."),
    ] = None,
    feature_ids: Annotated[
        list[str] | None,
        typer.Option("--feature-ids", metavar="NAME=FILE", help="Item ids of a matrix's rows. Repeatable."),
    ] = None,
    name: NameOption = None,
    overwrite: OverwriteFlag = False,
    json_: JsonFlag = False,
) -> None:
    """Import any table of interactions, with item metadata, images and feature files.

    Row r of a .npy matrix belongs to the item whose id is the number r, else to row r of --items.

    Example: alignrec-geo data import table clicks.csv --user uid --item sku --items skus.jsonl --out shop
    """
    from alignrec_geo.dataset.readers.feature_files import parse_named_files
    from alignrec_geo.dataset.readers.table import TableConfig, read_table
    from alignrec_geo.dataset.splits import SplitConfig
    from alignrec_geo.settings import checked

    config = checked(
        TableConfig,
        {
            "interactions": interactions,
            "name": name,
            "user": user,
            "item": item,
            "rating": rating,
            "timestamp": timestamp,
            "split": split,
            "split_unused": tuple(split_unused or ()),
            "drop_unused": drop_unused,
            "skip_empty_ids": skip_empty_ids,
            "columns": tuple(part.strip() for part in columns.split(",")) if columns else (),
            "separator": separator,
            "min_rating": min_rating,
            "k_core": k_core,
            "rule": checked(SplitConfig, {"rule": rule or "random", "seed": seed}) if rule or not split else None,
            "items": items,
            "item_id": item_id,
            "title": title,
            "text": tuple(text or ()),
            "all_items": all_items,
            "images": images,
            "features": parse_named_files(feature or [], "--feature"),
            "feature_ids": parse_named_files(feature_ids or [], "--feature-ids"),
        },
    )
    inputs = [interactions, items, images, *config.features.values(), *config.feature_ids.values()]
    _write(lambda: read_table(config), out, overwrite, json_, inputs)


@app.command("movielens")
def movielens(
    folder: FolderArgument,
    out: OutOption,
    min_rating: MinRatingOption = None,
    k_core: KCoreOption = 1,
    rule: RuleOption = None,
    seed: SeedOption = 0,
    items: ItemsOption = None,
    item_id: Annotated[
        str, typer.Option("--item-id", metavar="COLUMN", help="Column of the film number in --items.")
    ] = "movieID",
    text: TextOption = None,
    all_items: AllItemsFlag = False,
    images: ImagesOption = None,
    name: NameOption = None,
    overwrite: OverwriteFlag = False,
    json_: JsonFlag = False,
) -> None:
    """Import MovieLens 100K or 1M as GroupLens publishes them.

    Example: alignrec-geo data import movielens downloads/ml-100k/ml-100k --rule leave-last --out data/ml-100k
    """
    from alignrec_geo.dataset.filters import FilterConfig
    from alignrec_geo.dataset.readers.movielens import read_movielens
    from alignrec_geo.dataset.splits import SplitConfig
    from alignrec_geo.settings import checked

    split = checked(SplitConfig, {"rule": rule or "random", "seed": seed})
    filters = checked(FilterConfig, {"min_rating": min_rating, "k_core": k_core})
    _write(
        lambda: read_movielens(
            folder,
            name,
            split=split,
            filters=filters,
            items=items,
            item_id=item_id,
            text=tuple(text or ()),
            all_items=all_items,
            images=images,
        ),
        out,
        overwrite,
        json_,
        [folder, items, images],
    )


def _write(
    read: "Callable[[], Dataset]", out: Path, overwrite: bool, json_: bool, inputs: Iterable[Path | None]
) -> None:
    from alignrec_geo.dataset.manifest import DATA_SET
    from alignrec_geo.folders import folder_target

    start = time.perf_counter()
    folder_target(out, DATA_SET, overwrite, inputs)
    saved = read().save(out, overwrite)
    seconds = time.perf_counter() - start
    if json_:
        print_json({**summary(saved), "notes": saved.notes, "seconds": round(seconds, 2)})
        return
    print_notes(saved.notes)
    stdout.print(counts_line(saved), soft_wrap=True)
