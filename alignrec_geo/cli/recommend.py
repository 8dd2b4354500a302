"""``alignrec-geo recommend``: items for users."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alignrec_geo.cli.basket import Basket, for_basket
from alignrec_geo.cli.bulk_output import Lists, Out, Overwrite, Resume, check_output, left_out_note, write_stream
from alignrec_geo.cli.device import DeviceOption
from alignrec_geo.cli.engine import Actors, Address, Engine, chosen_pool
from alignrec_geo.cli.id_files import read_ids
from alignrec_geo.cli.index import IndexOption
from alignrec_geo.cli.output import JsonFlag, print_json, print_notes, print_table
from alignrec_geo.cli.rules import (
    Exclude,
    IncludeCold,
    ItemTable,
    OnlyItems,
    Seen,
    Where,
    WithoutItems,
    item_rules,
    pair_rules,
)
from alignrec_geo.cli.run_argument import RunArgument
from alignrec_geo.errors import InputError

if TYPE_CHECKING:
    import polars as pl

    from alignrec_geo.serving import Recommendation

CountOption = Annotated[int, typer.Option("-k", "--k", min=1, help="How many items.")]

_MARKS = {"content": "by content"}
"""What stands beside a score that does not come from the trained tables."""


def recommend(
    run: RunArgument,
    user: Annotated[list[str] | None, typer.Option("--user", help="External user id, repeatable.")] = None,
    users_file: Annotated[
        Path | None,
        typer.Option("--users-file", metavar="FILE", help="User ids: one a line, or a table with a column user."),
    ] = None,
    all_users: Annotated[
        bool, typer.Option("--all-users", help="Every user of the run's data set; with --out.")
    ] = False,
    basket: Basket = None,
    k: CountOption = 10,
    unknown: Annotated[
        str | None,
        typer.Option(
            "--unknown",
            "--cold",
            metavar="error|popular|skip",
            help="Users unknown or without training items: an error, the most popular items, or left out. 'error' if "
            "not given for --user, else 'skip'.",
        ),
    ] = None,
    include_cold: IncludeCold = False,
    only_items: OnlyItems = None,
    without_items: WithoutItems = None,
    where: Where = None,
    item_table: ItemTable = None,
    seen: Seen = "hide",
    exclude: Exclude = None,
    out: Out = None,
    overwrite: Overwrite = False,
    lists: Lists = False,
    resume: Resume = False,
    engine: Engine = "local",
    actors: Actors = None,
    address: Address = None,
    index: IndexOption = "exact",
    device: DeviceOption = "cpu",
    as_json: JsonFlag = False,
) -> None:
    """Recommend items a user has not seen, with titles where known.

    Example: alignrec-geo recommend runs/catalogue --user user-0042 -k 5

    For somebody the run does not know: alignrec-geo recommend runs/catalogue --basket item-0007,item-0012

    For everybody: alignrec-geo recommend runs/catalogue --all-users --out recommendations.parquet

    With --resume a file that takes hours goes on where it was cut off; with --engine ray many processes or machines
    share the work.

    Items without a training interaction are marked as cold. Without --include-cold they are ranked by what training
    left in the tables, which means little.
    """
    from alignrec_geo.device import choose_device
    from alignrec_geo.serving.by_actors import recommend_by
    from alignrec_geo.serving.store import load_top_items

    inputs, many = [users_file, only_items, without_items, item_table, exclude], engine != "local"
    check_output(out, overwrite, lists, run, inputs, all_users=all_users, resume=resume, engine=many)
    pool = chosen_pool(engine, actors, address)
    if basket is not None:
        given = {"--user": user, "--users-file": users_file, "--all-users": all_users}
        given |= {"--exclude": exclude, "--out": out}
        contrary = next((name for name, value in given.items() if value), None)
        if contrary is not None:
            raise InputError(f"--basket stands for one user whom the run does not know; pass it without {contrary}")
        only = {**item_rules(only_items, without_items, where, item_table), "seen": seen}
        found = for_basket(run, basket, k, include_cold, device, index, only, as_json)
        if found is not None:
            print_items(f"for a user with {basket}", found)
        return
    ids = _asked(user, users_file, all_users)
    policy = unknown or ("error" if users_file is None and not all_users else "skip")
    rules = {**item_rules(only_items, without_items, where, item_table), **pair_rules(seen, exclude)}
    opened: dict[str, Any] = {"include_cold": include_cold, "device": choose_device(device), "index": index}
    top = load_top_items(run, **opened)
    if out is not None:
        asked: dict[str, Any] = {"users": ids, "k": k, "unknown": policy, "include_cold": include_cold, **rules}
        by = None if pool is None else recommend_by(pool, run, opened, asked)
        write_stream(top.recommend_all(**asked), "users", run, out, overwrite, lists, as_json, resume, by)
        return
    assert ids is not None
    result = top.recommend(ids, k, policy, include_cold, **rules)
    left_out = ids.filter(~ids.is_in(list(result))).unique(maintain_order=True)
    if as_json:
        users = {str(name): _records(items) for name, items in result.items()}
        print_json({"users": users, "left_out": list(map(str, left_out)), "notes": list(result.notes)})
        return
    print_notes([*result.notes, *left_out_note(left_out, "users")])
    for name, items in result.items():
        fallback = bool(items) and items[0].source == "popular"
        print_items(
            f"for user {name}" + (" (no training interaction): the most popular items" if fallback else ""), items
        )


def _asked(user: list[str] | None, users_file: Path | None, all_users: bool) -> "pl.Series | None":
    """The users, ``None`` for all."""
    import polars as pl

    if all_users:
        if user or users_file is not None:
            raise InputError("--all-users names everybody; pass it without --user and --users-file")
        return None
    listed = [] if users_file is None else [read_ids(users_file, "user")]
    if not user and not listed:
        raise InputError("no user given; pass --user ID, --users-file FILE, --basket A,B or --all-users")
    if not user:
        return listed[0]
    return pl.Series("user", [*user, *(str(name) for column in listed for name in column)], dtype=pl.String)


def _records(items: "list[Recommendation]") -> list[dict[str, Any]]:
    return [item._asdict() for item in items]


def print_items(title: str, items: "list[Recommendation]") -> None:
    """Print items as a table, with what stands beside their scores."""
    popular = bool(items) and items[0].source == "popular"
    marks = [" ".join(filter(None, ["cold" if item.cold else "", _MARKS.get(item.source, "")])) for item in items]
    columns = {
        "": [str(rank) for rank in range(1, len(items) + 1)],
        "title": [item.title or "" for item in items],
        "item": [item.item for item in items],
        "interactions" if popular else "score": [f"{item.score:.{0 if popular else 4}f}" for item in items],
        "mark": marks,
    }
    shown = {name: cells for name, cells in columns.items() if any(cells) or name == "item"}
    header = ["" if name == "mark" else name for name in shown]
    print_table(title, header, zip(*shown.values(), strict=True), left=("title", "item"))
