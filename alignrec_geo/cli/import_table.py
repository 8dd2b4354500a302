"""``data import table``: any table of interactions, and what lies beside it."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from alignrec_geo.cli.import_options import (
    AllItemsFlag,
    ImagesOption,
    ItemColumn,
    ItemsOption,
    KCoreOption,
    KeepHtmlFlag,
    MinRatingOption,
    NameOption,
    OutOption,
    OverwriteFlag,
    RatingColumn,
    RuleOption,
    SeedOption,
    TextOption,
    TimestampColumn,
    UserColumn,
    dataset_name,
    write,
)
from alignrec_geo.cli.import_streamed import large, write_streamed
from alignrec_geo.cli.output import JsonFlag, print_notes


def table(
    interactions: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE",
            help="CSV, TSV, Parquet or JSON lines; text also .gz. Also a folder of such files, or 'FOLDER/*.parquet'.",
            show_default=False,
        ),
    ],
    out: OutOption,
    user: UserColumn = "user",
    item: ItemColumn = "item",
    rating: RatingColumn = None,
    weight: Annotated[
        str | None, typer.Option("--weight", metavar="COLUMN", help="Column of the weight of a row in training.")
    ] = None,
    timestamp: TimestampColumn = None,
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
    skip_bad_rows: Annotated[
        bool, typer.Option("--skip-bad-rows", help="Leave out and count every row that cannot be used.")
    ] = False,
    strip_ids: Annotated[bool, typer.Option("--strip-ids", help="Take off the spaces around ids.")] = False,
    columns: Annotated[
        str | None,
        typer.Option("--columns", metavar="A,B,…", help="Column names of a file without a header line."),
    ] = None,
    separator: Annotated[
        str | None, typer.Option("--separator", help="Separator of FILE; from its first lines if not given.")
    ] = None,
    encoding: Annotated[str, typer.Option("--encoding", help="Encoding of all text files, such as cp1252.")] = "utf-8",
    decimal: Annotated[
        Literal[".", ","], typer.Option("--decimal", help="Decimal mark of numbers in all text files.")
    ] = ".",
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
    keep_html: KeepHtmlFlag = False,
    all_items: AllItemsFlag = False,
    images: ImagesOption = None,
    image: Annotated[
        str | None,
        typer.Option("--image", metavar="COLUMN", help="Column of --items with the image's path in --images."),
    ] = None,
    item_column: Annotated[
        list[str] | None,
        typer.Option("--item-column", metavar="COLUMN", help="Column of --items to keep, for --where. Repeatable."),
    ] = None,
    feature: Annotated[
        list[str] | None,
        typer.Option("--feature", metavar="NAME=FILE", help="Feature matrix (.npy or a table). Repeatable."),
    ] = None,
    feature_ids: Annotated[
        list[str] | None,
        typer.Option("--feature-ids", metavar="NAME=FILE", help="Item ids of a matrix's rows. Repeatable."),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            "--memory",
            metavar="SIZE",
            help="Read Parquet or text in parts within this memory, such as 4GB; needs alignrec-geo[stream].",
        ),
    ] = None,
    name: NameOption = None,
    overwrite: OverwriteFlag = False,
    json_: JsonFlag = False,
) -> None:
    """Import any table of interactions, with item metadata, images and feature files.

    Row r of a .npy matrix belongs to the item whose id is the number r, else to row r of --items.

    What does not fit into memory: pass --memory 4GB. The data set is the same; the disk of --out holds what is
    worked on meanwhile.

    Example: alignrec-geo data import table clicks.csv --user uid --item sku --items skus.jsonl --out shop
    """
    from alignrec_geo.dataset.readers.feature_files import parse_named_files
    from alignrec_geo.dataset.readers.table import TableConfig, read_table
    from alignrec_geo.dataset.splits import SplitConfig
    from alignrec_geo.settings import checked

    config = checked(
        TableConfig,
        {
            "interactions": interactions[0] if len(interactions) == 1 else tuple(interactions),
            "name": dataset_name(name, out),
            "user": user,
            "item": item,
            "rating": rating,
            "weight": weight,
            "timestamp": timestamp,
            "split": split,
            "split_unused": tuple(split_unused or ()),
            "drop_unused": drop_unused,
            "skip_empty_ids": skip_empty_ids,
            "skip_bad_rows": skip_bad_rows,
            "strip_ids": strip_ids,
            "columns": tuple(part.strip() for part in columns.split(",")) if columns else (),
            "separator": separator,
            "encoding": encoding,
            "decimal": decimal,
            "min_rating": min_rating,
            "k_core": k_core,
            "rule": checked(SplitConfig, {"rule": rule or "random", "seed": seed}) if rule or not split else None,
            "items": items,
            "item_id": item_id,
            "title": title,
            "text": tuple(text or ()),
            "keep_html": keep_html,
            "all_items": all_items,
            "images": images,
            "image": image,
            "item_columns": tuple(item_column or ()),
            "features": parse_named_files(feature or [], "--feature"),
            "feature_ids": parse_named_files(feature_ids or [], "--feature-ids"),
        },
    )
    if memory is not None:
        write_streamed(config, out, memory, overwrite, json_)
        return
    print_notes(large(interactions))
    inputs = [*interactions, items, images, *config.features.values(), *config.feature_ids.values()]
    write(lambda: read_table(config), out, overwrite, json_, inputs)
