"""``data``: bring data sets in, split them, say what is in them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alignrec_geo.cli import data_import
from alignrec_geo.cli.croissant import croissant
from alignrec_geo.cli.data_summary import counts_line, summary
from alignrec_geo.cli.fetch import fetch
from alignrec_geo.cli.import_options import Rule
from alignrec_geo.cli.output import JsonFlag, print_json, print_table, stderr, stdout
from alignrec_geo.errors import InputError

if TYPE_CHECKING:
    from alignrec_geo.dataset.describe import Coverage, Description

app = typer.Typer(no_args_is_help=True, help="Fetch, import, split and describe data sets.")
app.add_typer(data_import.app, name="import")
app.command("fetch")(fetch)
app.command("croissant")(croissant)

Folder = Annotated[Path, typer.Argument(metavar="DATASET", help="Data set folder.", show_default=False)]


@app.command("split")
def split(
    dataset: Folder,
    rule: Annotated[Rule, typer.Option("--rule", help="How to hold out pairs.", show_default=False)],
    seed: Annotated[int, typer.Option("--seed", help="Seed of the rules that draw.")] = 0,
    validation: Annotated[
        float, typer.Option("--validation", help="Share held out for validation (global-time, cold-items, cold-users).")
    ] = 0.1,
    test: Annotated[float, typer.Option("--test", help="Share held out for test, likewise.")] = 0.1,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="New folder; in place if not given.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the folder of --out.")] = False,
    json_: JsonFlag = False,
) -> None:
    """Split a data set anew; features and images stay.

    random: per user 8:1:1. leave-last: each user's last pair to test, the one before to validation.
    global-time: the latest pairs of all. cold-items: all pairs of some items.
    cold-users: some users, whom the model is given 80 % of and has to find the rest. all-train: nothing is held out.

    Example: alignrec-geo data split data/ml-100k --rule leave-last --out data/ml-100k-last
    """
    from alignrec_geo.dataset.interactions import Split
    from alignrec_geo.dataset.manifest import DATA_SET
    from alignrec_geo.dataset.splits import SplitConfig
    from alignrec_geo.dataset.store import Dataset
    from alignrec_geo.files import is_within
    from alignrec_geo.folders import folder_target
    from alignrec_geo.settings import checked

    in_place = out is None or (is_within(out, dataset) and is_within(dataset, out))
    folder_target(dataset if out is None else out, DATA_SET, overwrite or in_place, [None if in_place else dataset])
    config = checked(SplitConfig, {"rule": rule, "seed": seed, "validation": validation, "test": test})
    made = Dataset.open(dataset).with_split(config)
    if out is not None and not in_place:
        made = replace(made, name=out.resolve().name)  # a split is a data set of its own
    if not (made.interactions.split == Split.TRAIN).any():
        raise InputError(f"rule '{rule}' leaves data set '{made.name}' with an empty training split")
    saved = made.save(dataset if out is None else out, overwrite=overwrite or in_place)
    if json_:
        print_json({**summary(saved), "rule": rule, "seed": seed})
    else:
        stdout.print(counts_line(saved), soft_wrap=True)


@app.command("describe")
def describe(dataset: Folder, json_: JsonFlag = False) -> None:
    """Print what is in a data set, and warn about what hurts training.

    Example: alignrec-geo data describe data/ml-100k
    """
    from alignrec_geo.dataset.describe import describe as describe_dataset
    from alignrec_geo.dataset.store import Dataset

    opened = Dataset.open(dataset)
    found = describe_dataset(opened)
    if json_:
        print_json({**found.to_json(), "path": str(opened.path)})
        return
    print_table(f"Data set {found.name}", ("", "value"), _rows(found))
    for warning in found.warnings:
        stderr.print(f"warning: {warning}", soft_wrap=True)


def _rows(found: "Description") -> Iterator[tuple[str, str]]:
    yield "users", f"{found.users:,}"
    yield "items", f"{found.items:,}"
    yield "interactions", f"{found.interactions:,}"
    yield "density", f"{found.density:.4%}"
    for part, size in found.splits.items():
        yield part, f"{size:,}"
    if found.history:
        yield "history of held-out users", f"{found.history:,}"
    if found.unused:
        yield "in no split", f"{found.unused:,}"
    yield "split rule", found.split_rule
    for kind, centre in (("user", found.per_user), ("item", found.per_item)):
        yield f"interactions per {kind}", f"median {centre['median']:g}, mean {centre['mean']:.1f}"
    if found.weights is not None:
        yield "weights", "min {min:.4g}, median {median:.4g}, max {max:.4g}".format(**found.weights)
    for name, coverage in found.modalities.items():
        yield f"features '{name}'", _coverage(coverage)
    yield "text", _coverage(found.text)
    yield "images", _coverage(found.images)


def _coverage(coverage: "Coverage") -> str:
    width = "" if coverage.width is None else f", width {coverage.width}"
    return f"{coverage.items:,} items ({coverage.share:.1%}){width}"
