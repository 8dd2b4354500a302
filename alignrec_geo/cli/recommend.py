"""``alignrec-geo recommend`` and ``similar``: items for users, items like an item."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alignrec_geo.cli.output import JsonFlag, print_json, print_table
from alignrec_geo.errors import InputError

if TYPE_CHECKING:
    from alignrec_geo.serving import Recommendation

RunArgument = Annotated[Path, typer.Argument(help="Run folder (made by 'train').")]
CountOption = Annotated[int, typer.Option("-k", "--k", min=1, help="How many items.")]


def recommend(
    run: RunArgument,
    user: Annotated[list[str] | None, typer.Option("--user", help="External user id, repeatable.")] = None,
    users_file: Annotated[Path | None, typer.Option(help="Text file with one user id per line.")] = None,
    k: CountOption = 10,
    cold: Annotated[
        str, typer.Option(help="Users unknown or without training items: error, or popular (the most popular items).")
    ] = "error",
    include_cold: Annotated[
        bool, typer.Option("--include-cold", help="Rank the items of 'embed' too, by their content.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Recommend items a user has not seen, with titles where known.

    Example: alignrec-geo recommend runs/catalogue --user user-0042 -k 5

    Items without a training interaction are marked as cold. Without --include-cold they are ranked by what training
    left in the tables, which is next to nothing.
    """
    from alignrec_geo.serving.store import load_top_items

    ids = [*(user or []), *(_read_ids(users_file) if users_file is not None else [])]
    if not ids:
        raise InputError("no user given; pass --user ID or --users-file FILE")
    result = load_top_items(run, include_cold).recommend(ids, k, cold, include_cold)
    if as_json:
        print_json({"users": {name: _records(items) for name, items in result.items()}})
        return
    for name, items in result.items():
        _print(f"for user {name}", items)


def similar(
    run: RunArgument,
    item: Annotated[str, typer.Option("--item", help="External item id.")],
    k: CountOption = 10,
    as_json: JsonFlag = False,
) -> None:
    """List the items whose trained vectors are closest to an item's (by cosine).

    Example: alignrec-geo similar runs/catalogue --item item-0007 -k 5
    """
    from alignrec_geo.serving.store import load_top_items

    items = load_top_items(run).similar(item, k)
    if as_json:
        print_json({"item": item, "similar": _records(items)})
        return
    _print(f"like item {item}", items)


def _read_ids(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (UnicodeDecodeError, IsADirectoryError) as error:
        raise InputError(f"{path}: not a text file of user ids ({error})") from None
    return [line.strip() for line in lines if line.strip()]


def _records(items: "list[Recommendation]") -> list[dict[str, Any]]:
    return [item._asdict() for item in items]


def _print(title: str, items: "list[Recommendation]") -> None:
    marked = any(item.cold for item in items)
    rows = [
        [item.title or "", item.item, f"{item.score:.4f}", *(["cold" if item.cold else ""] if marked else [])]
        for item in items
    ]
    print_table(title, ["title", "item", "score", *([""] if marked else [])], rows)
