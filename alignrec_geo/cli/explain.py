"""``alignrec-geo explain``: why an item has its score for a user."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alignrec_geo.cli.output import JsonFlag, print_json, print_table, stderr, stdout
from alignrec_geo.cli.run_argument import RunArgument

if TYPE_CHECKING:
    from alignrec_geo.explaining import Explanation


def explain(
    run: RunArgument,
    user: Annotated[str, typer.Option("--user", help="External user id.")],
    item: Annotated[str, typer.Option("--item", help="External item id.")],
    report: Annotated[
        Path | None, typer.Option("--report", help="Also write a page (HTML) with the images of the items.")
    ] = None,
    most: Annotated[int, typer.Option("-k", "--k", min=1, help="How many past items to print.")] = 10,
    dataset: Annotated[
        Path | None, typer.Option("--dataset", help="The data set the run was trained on, if it was moved.")
    ] = None,
    trust: Annotated[bool, typer.Option("--trust", help="Run code (class paths) that the run folder names.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Say why an item has its score for a user: identity or content, and which past items carry it.

    Example: alignrec-geo explain runs/catalogue --user user-0042 --item item-0007 --report why.html

    The parts add up to the score. They are exact where the model's propagation is linear (all models but grcn, mgcn
    and mmgcn, with the default layers), and a first-order approximation elsewhere; which of both is said.
    """
    from alignrec_geo.explaining import explain as explain_score
    from alignrec_geo.outputs import output_file

    if report is not None:
        output_file(report, [run])
    found = explain_score(run, user, item, dataset, trust)
    if report is not None:
        from alignrec_geo.explaining import write_page  # it loads matplotlib

        write_page(found, report)
    if as_json:
        print_json({**found.as_dict(), **({} if report is None else {"report": str(report)})})
        return
    _print(found, most)
    if report is not None:
        stderr.print(f"the page is {report}", soft_wrap=True)


def _print(found: "Explanation", most: int) -> None:
    from alignrec_geo.explaining.explanation import SEEN, signed

    stdout.print(f"{found.headline}: score {found.score:.4f}, {found.place}", soft_wrap=True)
    for title, how, values in (
        ("user's branch - item's branch", found.parts_are, found.parts),
        ("where the user's vector begins", found.history_is, found.sources),
    ):
        rows = [[name, signed(value)] for name, value in values.items() if abs(value) >= SEEN]
        print_table(f"{title} ({how})", ["part", "score"], rows)
    if not found.history:
        stdout.print(f"no past item has a part: {found.model} learns every user's vector by itself", soft_wrap=True)
        return
    shown, left = found.history[:most], found.history[most:]
    carried = [(one.title or "", one.item, one.contribution, one.identity, one.content) for one in shown]
    if left:
        identity, content = sum(one.identity for one in left), sum(one.content for one in left)
        carried.append((f"{len(left)} more past items", "", identity + content, identity, content))
    rows = [[title, name, *map(signed, values)] for title, name, *values in carried]
    rows += [[name, "", signed(value), "", ""] for name, value in found.others.items()]
    title = f"what past items bring ({found.history_is})"
    print_table(title, ["title", "item", "score", "of identity", "of content"], rows)
