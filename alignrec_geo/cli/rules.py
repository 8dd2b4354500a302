"""Options of the verbs that recommend: what may be recommended, and to whom not."""

from pathlib import Path
from typing import Annotated, Any

import typer

from alignrec_geo.cli.id_files import read_ids, read_pairs

PAIR = ("user", "item")

OnlyItems = Annotated[
    Path | None,
    typer.Option("--only-items", metavar="FILE", help="Items that may be listed: one id a line, or a table."),
]
WithoutItems = Annotated[
    Path | None, typer.Option("--without-items", metavar="FILE", help="Items that may not be listed, likewise.")
]
Where = Annotated[
    str | None,
    typer.Option(
        "--where",
        metavar="CONDITION",
        help="Condition on columns of the items, as in SQL: 'category = \"Toys\" and price < 20'.",
    ),
]
ItemTable = Annotated[
    Path | None,
    typer.Option(
        "--item-table", metavar="FILE", help="Table with a column item or id and further columns for --where."
    ),
]
Seen = Annotated[
    str, typer.Option("--seen", metavar="hide|keep", help="Whether items that a user has interacted with are left out.")
]
Exclude = Annotated[
    Path | None,
    typer.Option("--exclude", metavar="FILE", help="Table with columns user and item: pairs that are not recommended."),
]
IncludeCold = Annotated[bool, typer.Option("--include-cold", help="Rank items of 'embed' too, by their content.")]


def item_rules(
    only_items: Path | None, without_items: Path | None, where: str | None, item_table: Path | None
) -> dict[str, Any]:
    """Read the files of rules on items; the arguments of :class:`alignrec_geo.serving.rules.Rules` by name.

    Raises:
        InputError: a file cannot be read.
    """
    from alignrec_geo.dataset.readers.table_files import read_table_file

    files = {"only_items": only_items, "without_items": without_items}
    ids = {name: None if file is None else read_ids(file, "item") for name, file in files.items()}
    return {**ids, "where": where, "item_table": None if item_table is None else read_table_file(item_table)}


def pair_rules(seen: str, exclude: Path | None) -> dict[str, Any]:
    """The same of rules on pairs of user and item.

    Raises:
        InputError: a file cannot be read.
    """
    return {"seen": seen, "exclude": None if exclude is None else read_pairs(exclude, PAIR)}
