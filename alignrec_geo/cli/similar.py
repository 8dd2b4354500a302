"""``alignrec-geo similar``: items like an item, users like a user."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alignrec_geo.cli.bulk_output import Lists, Out, Overwrite, check_output, left_out_note, write_stream
from alignrec_geo.cli.device import DeviceOption
from alignrec_geo.cli.id_files import read_ids
from alignrec_geo.cli.index import IndexOption
from alignrec_geo.cli.output import JsonFlag, print_json, print_notes, print_table
from alignrec_geo.cli.recommend import CountOption, print_items
from alignrec_geo.cli.rules import IncludeCold, ItemTable, OnlyItems, Where, WithoutItems, item_rules
from alignrec_geo.cli.run_argument import RunArgument
from alignrec_geo.cli.served import load_for_items
from alignrec_geo.errors import InputError

if TYPE_CHECKING:
    import polars as pl

    from alignrec_geo.serving.results import Recommendation


def similar(
    run: RunArgument,
    item: Annotated[list[str] | None, typer.Option("--item", help="External item id, repeatable.")] = None,
    items_file: Annotated[
        Path | None,
        typer.Option("--items-file", metavar="FILE", help="Item ids: one a line, or a table with a column item."),
    ] = None,
    all_items: Annotated[
        bool, typer.Option("--all-items", help="Every item, those of 'embed' too; with --out.")
    ] = False,
    user: Annotated[list[str] | None, typer.Option("--user", help="Users like this user instead, repeatable.")] = None,
    users_file: Annotated[Path | None, typer.Option("--users-file", metavar="FILE", help="User ids, likewise.")] = None,
    all_users: Annotated[bool, typer.Option("--all-users", help="Every user; with --out.")] = False,
    k: CountOption = 10,
    unknown: Annotated[
        str | None,
        typer.Option(
            "--unknown",
            metavar="error|skip",
            help="Ids that are unknown. 'error' if not given for single ids, else 'skip'.",
        ),
    ] = None,
    include_cold: IncludeCold = False,
    only_items: OnlyItems = None,
    without_items: WithoutItems = None,
    where: Where = None,
    item_table: ItemTable = None,
    out: Out = None,
    overwrite: Overwrite = False,
    lists: Lists = False,
    index: IndexOption = "exact",
    device: DeviceOption = "cpu",
    as_json: JsonFlag = False,
) -> None:
    """List the items whose trained vectors are closest to an item's, or the users closest to a user's (by cosine).

    Example: alignrec-geo similar runs/catalogue --item item-0007 -k 5

    The item may also be one that 'embed' gave a vector to; those are listed with --include-cold.
    """
    needs = {"all_items": all_items, "all_users": all_users}
    check_output(out, overwrite, lists, run, [items_file, users_file, only_items, without_items, item_table], **needs)
    what, ids = _asked(item, items_file, all_items, user, users_file, all_users)
    policy = unknown or ("skip" if items_file or users_file or ids is None else "error")
    rules = item_rules(only_items, without_items, where, item_table)
    if what == "users" and any(value is not None for value in rules.values()):
        raise InputError(
            "--only-items, --without-items, --where and --item-table are rules on items; users have no such columns"
        )
    top = load_for_items(run, ids if what == "items" else (), include_cold, device, index)
    stream = (
        top.similar_users(ids, k, policy) if what == "users" else top.similar_all(ids, k, policy, include_cold, **rules)
    )
    if out is not None:
        write_stream(stream, what, run, out, overwrite, lists, as_json)
        return
    assert ids is not None
    if not as_json:
        print_notes([*stream.notes, *left_out_note(stream.left_out, what)])
    if what == "users":
        _show_users(stream.to_frame(), single=len(ids) == 1, as_json=as_json)
        return
    left_out = set(map(str, stream.left_out))
    asked = [name for name in dict.fromkeys(map(str, ids)) if name not in left_out]
    found = _by_item(stream.to_frame(), asked)
    if as_json:
        records = {name: [one._asdict() for one in items] for name, items in found.items()}
        single = len(ids) == 1
        print_json({"item": asked[0], "similar": records[asked[0]]} if single else {"items": records})
        return
    for name, items in found.items():
        print_items(f"like item {name}", items)


def _asked(
    item: list[str] | None,
    items_file: Path | None,
    all_items: bool,
    user: list[str] | None,
    users_file: Path | None,
    all_users: bool,
) -> "tuple[str, pl.Series | None]":
    """Whether items or users are asked with, and their ids, ``None`` for all."""
    import polars as pl

    sides = {"items": (item, items_file, all_items), "users": (user, users_file, all_users)}
    given = [what for what, side in sides.items() if any(part for part in side)]
    if len(given) != 1:
        raise InputError("pass --item, --items-file or --all-items; or, for users, --user, --users-file or --all-users")
    what = given[0]
    single, file, every = sides[what]
    if every:
        if single or file:
            raise InputError(f"--all-{what} names all; pass it without --{what.removesuffix('s')} and --{what}-file")
        return what, None
    listed = [] if file is None else read_ids(file, what.removesuffix("s")).to_list()
    if single:
        return what, pl.Series([*single, *map(str, listed)], dtype=pl.String)
    return what, pl.Series(listed)


def _by_item(frame: "pl.DataFrame", asked: list[str]) -> "dict[str, list[Recommendation]]":
    """The rows of a frame by the item that was asked with; empty for one that nothing is like."""
    from alignrec_geo.serving.results import Recommendation

    found: dict[str, list[Recommendation]] = {name: [] for name in asked}
    for row in frame.drop("rank").iter_rows(named=True):
        item = str(row.pop("item"))
        found[item].append(Recommendation(item=str(row.pop("similar_item")), **row))
    return found


def _show_users(frame: "pl.DataFrame", single: bool, as_json: bool) -> None:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in frame.rename({"similar_user": "like"}).to_dicts():
        found.setdefault(str(row["user"]), []).append({"user": str(row["like"]), "score": row["score"]})
    if as_json:
        name = next(iter(found))
        print_json({"user": name, "similar": found[name]} if single else {"users": found})
        return
    for name, users in found.items():
        print_table(f"like user {name}", ["user", "score"], [[one["user"], f"{one['score']:.4f}"] for one in users])
