"""``--engine``, ``--actors`` and ``--address``: where many blocks are computed."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from alignrec_geo.errors import InputError

if TYPE_CHECKING:
    from alignrec_geo.actors import Pool

Engine = Annotated[
    Literal["local", "ray"],
    typer.Option("--engine", help="This process, or actors of Ray (alignrec-geo[ray]); the rows are the same."),
]
Actors = Annotated[
    int | None,
    typer.Option("--actors", min=1, help="How many actors; one fewer than Ray has CPUs if not given."),
]
Address = Annotated[
    str | None,
    typer.Option("--address", metavar="HOST:PORT", help="A running Ray cluster, or 'auto'; this machine if not given."),
]


@contextmanager
def results_alone() -> Iterator[None]:
    """Keep standard output for results: what Ray says of actors that ended goes to standard error."""
    with redirect_stdout(sys.stderr):
        yield


def chosen_pool(engine: str, actors: int | None, address: str | None) -> "Pool | None":
    """The actors that were asked for, ``None`` for this process.

    Raises:
        InputError: options of Ray without it.
    """
    if engine == "ray":
        from alignrec_geo.actors import Pool

        return Pool(actors, address)
    given = next((name for name, value in (("actors", actors), ("address", address)) if value is not None), None)
    if given is not None:
        raise InputError(f"--{given} is for actors of Ray; pass --engine ray")
    return None
