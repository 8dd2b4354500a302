"""``alignrec-geo plan``: what a training run will take, before anything is trained."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alignrec_geo.cli.output import JsonFlag, print_json, print_table, stderr, stdout
from alignrec_geo.errors import InputError

if TYPE_CHECKING:
    from alignrec_geo.planning import Plan, Problem


def plan(
    dataset: Annotated[
        Path | None, typer.Argument(help="Data set folder; without one, --users, --items and --edges.")
    ] = None,
    model: Annotated[str, typer.Option(help="Model: alignrec, lightgcn or bpr.")] = "alignrec",
    ranks: Annotated[int, typer.Option(min=1, help="Processes that share the columns of every table.")] = 1,
    device: Annotated[
        str, typer.Option(metavar="h100|h200|here", help="Whose rates; here measures this machine's CPU for seconds.")
    ] = "here",
    users: Annotated[str | None, typer.Option(metavar="NUMBER", help="Number of users.")] = None,
    items: Annotated[str | None, typer.Option(metavar="NUMBER", help="Number of items.")] = None,
    edges: Annotated[str | None, typer.Option(metavar="NUMBER", help="Number of training pairs.")] = None,
    width: Annotated[
        int | None, typer.Option(min=0, help="Columns of the item features together; default: those of the data set.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Settings of the run, as for train.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Print the memory and the time that training will take per rank, and what to do if it does not fit.

    Example: alignrec-geo plan --users 1e8 --items 1e7 --edges 1e9 --model lightgcn --ranks 8 --device h100

    Work is counted from the model's operations, rates were measured; see the page Scaling. Nothing is read of a data
    set but its counts, and nothing is written.
    """
    from alignrec_geo.planning import device_rates
    from alignrec_geo.planning import plan as made
    from alignrec_geo.planning.devices import check_device

    given = {"users": _count("users", users), "items": _count("items", items), "edges": _count("edges", edges)}
    check_device(device)
    problem = _problem(dataset, given, width, model, ranks, settings or [])
    if device == "here" and not as_json:
        stderr.print("measuring this machine …")
    planned = made(problem, device_rates(device))
    if as_json:
        print_json(planned.as_json())
    else:
        _print(planned)


def _count(name: str, text: str | None) -> int | None:
    """A whole number, also one written as 1e9."""
    if text is None:
        return None
    try:
        number = float(text.replace("_", "").replace(",", ""))
    except ValueError:
        number = 0.0
    if not 1.0 <= number < 2.0**53 or number != int(number):
        raise InputError(f"--{name} takes a whole number of at least 1, such as 250000 or 1e9 (got '{text}')")
    return int(number)


def _problem(
    dataset: Path | None, given: dict[str, int | None], width: int | None, model: str, ranks: int, settings: list[str]
) -> "Problem":
    """The sizes of the data set, with those given in their place, and of the settings."""
    from alignrec_geo.planning.sizes import problem_of, sizes_of

    missing = [f"--{name}" for name, value in given.items() if value is None]
    if dataset is None and missing:
        raise InputError(f"without a data set {' and '.join(missing)} must be given too")
    sizes = {} if dataset is None else sizes_of(dataset)
    sizes |= {name: value for name, value in {**given, "width": width}.items() if value is not None}
    return problem_of(sizes, model, ranks, settings)


def _print(planned: "Plan") -> None:
    from alignrec_geo.cli.output import print_notes
    from alignrec_geo.models.size import in_words

    p, rates = planned.problem, planned.rates
    where = ("GPU" if rates.is_gpu else "memory"), "host"
    rows = [
        [part.name, in_words(round(part.bytes)), where[rates.is_gpu and not part.on_device]] for part in planned.parts
    ]
    rows.append(["together", in_words(round(planned.device_bytes)), where[0]])
    if rates.is_gpu:
        rows.append(["", in_words(round(planned.host_bytes)), where[1]])
    ranks = f"{p.ranks} rank{'s' if p.ranks > 1 else ''}"
    sizes = f"{p.users:,} users, {p.items:,} items, {p.edges:,} training pairs"
    print_table(f"memory of each of {ranks}: {p.model}, {sizes}", ["part", "bytes", "where"], rows, left=["where"])
    step, epoch = planned.step_seconds, planned.epoch_seconds
    print_table(
        f"time on {rates.name}",
        ["", ""],
        [
            ["moved per rank and step by products", in_words(round(planned.work.product_bytes))],
            ["moved besides", in_words(round(planned.work.stream_bytes))],
            ["sent per rank and step", in_words(round(planned.sent_bytes))],
            ["one step", _seconds(step)],
            [f"one epoch of {p.steps:,} steps", _seconds(epoch)],
            ["of it validation", _seconds(planned.validation_seconds)],
        ],
    )
    stdout.print(f"rates: {rates.source}", soft_wrap=True)
    if planned.fits:
        stdout.print(f"fits: {rates.name} has {in_words(round(rates.memory_gb * 1e9))}", soft_wrap=True)
    print_notes(planned.advice())


def _seconds(value: float) -> str:
    for unit, size in (("days", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if value >= 2 * size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g} s" if value >= 0.1 or not value else f"{value * 1e3:.3g} ms"
