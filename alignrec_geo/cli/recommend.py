"""``alignrec-geo recommend`` and ``similar``: items for users, items like an item."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alignrec_geo.cli.device import DeviceOption
from alignrec_geo.cli.output import JsonFlag, print_json, print_table
from alignrec_geo.errors import InputError
from alignrec_geo.reading import check_plain_file, reading

if TYPE_CHECKING:
    from alignrec_geo.serving import Recommendation

RunArgument = Annotated[Path, typer.Argument(help="Run folder (made by 'train').")]
CountOption = Annotated[int, typer.Option("-k", "--k", min=1, help="How many items.")]
UnknownOption = Annotated[
    str,
    typer.Option(
        "--unknown",
        "--cold",
        metavar="POLICY",
        help="Users unknown or without training items: error, popular (the most popular items), or skip.",
    ),
]


_MARKS = {"content": "by content"}
"""What stands beside a score that does not come from the trained tables."""


def recommend(
    run: RunArgument,
    user: Annotated[list[str] | None, typer.Option("--user", help="External user id, repeatable.")] = None,
    users_file: Annotated[Path | None, typer.Option(help="Text file with one user id per line.")] = None,
    k: CountOption = 10,
    unknown: UnknownOption = "error",
    include_cold: Annotated[
        bool, typer.Option("--include-cold", help="Rank the items of 'embed' too, by their content.")
    ] = False,
    device: DeviceOption = "cpu",
    as_json: JsonFlag = False,
) -> None:
    """Recommend items a user has not seen, with titles where known.

    Example: alignrec-geo recommend runs/catalogue --user user-0042 -k 5

    Items without a training interaction are marked as cold. Without --include-cold they are ranked by what training
    left in the tables, which means little.
    """
    from alignrec_geo.device import choose_device
    from alignrec_geo.serving.store import load_top_items

    ids = [*(user or []), *(_read_ids(users_file) if users_file is not None else [])]
    if not ids:
        raise InputError("no user given; pass --user ID or --users-file FILE")
    result = load_top_items(run, include_cold, choose_device(device)).recommend(ids, k, unknown, include_cold)
    if as_json:
        print_json({"users": {name: _records(items) for name, items in result.items()}})
        return
    for name, items in result.items():
        fallback = bool(items) and items[0].source == "popular"
        _print(f"for user {name}" + (" (no training interaction): the most popular items" if fallback else ""), items)


def similar(
    run: RunArgument,
    item: Annotated[str, typer.Option("--item", help="External item id.")],
    k: CountOption = 10,
    include_cold: Annotated[
        bool, typer.Option("--include-cold", help="List items of 'embed' too, by their content.")
    ] = False,
    device: DeviceOption = "cpu",
    as_json: JsonFlag = False,
) -> None:
    """List the items whose trained vectors are closest to an item's (by cosine).

    Example: alignrec-geo similar runs/catalogue --item item-0007 -k 5

    The item may also be one that 'embed' gave a vector to.
    """
    from alignrec_geo.device import choose_device
    from alignrec_geo.serving.cold_store import COLD
    from alignrec_geo.serving.store import load_top_items

    where = choose_device(device)
    served = load_top_items(run, include_cold, where)
    if not include_cold and (run / COLD).exists() and not served.knows_item(item):
        served = load_top_items(run, include_cold=True, device=where)
    items = served.similar(item, k, include_cold)
    if as_json:
        print_json({"item": item, "similar": _records(items)})
        return
    _print(f"like item {item}", items)


def _read_ids(path: Path) -> list[str]:
    check_plain_file(path, "text file of user ids")
    with reading(path, "text file of user ids"):
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    return [line.strip() for line in lines if line.strip()]


def _records(items: "list[Recommendation]") -> list[dict[str, Any]]:
    return [item._asdict() for item in items]


def _print(title: str, items: "list[Recommendation]") -> None:
    popular = bool(items) and items[0].source == "popular"
    marks = [" ".join(filter(None, ["cold" if item.cold else "", _MARKS.get(item.source, "")])) for item in items]
    marked = any(marks)
    rows = [
        [item.title or "", item.item, f"{item.score:.{0 if popular else 4}f}", *([mark] if marked else [])]
        for item, mark in zip(items, marks, strict=True)
    ]
    print_table(title, ["title", "item", "interactions" if popular else "score", *([""] if marked else [])], rows)
