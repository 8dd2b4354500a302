"""Options that every verb takes: how much is said beside the result."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from functools import cache
from typing import Annotated, Any

import typer

from alignrec_geo.cli.output import stderr

PACKAGE = "alignrec_geo"


def _quiet(given: bool) -> None:
    if given:
        stderr.quiet = True


def _verbose(given: bool) -> None:
    if given:
        from rich.logging import RichHandler

        package = logging.getLogger(PACKAGE)
        package.addHandler(RichHandler(console=stderr, show_path=False, markup=False, rich_tracebacks=False))
        package.setLevel(logging.DEBUG)


def _version(given: bool) -> None:
    if given:
        from importlib.metadata import version

        typer.echo(f"alignrec-geo {version('alignrec-geo')}")
        raise typer.Exit


def top(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """AlignRec on PyTorch Geometric: multimodal recommendation on a user-item graph."""


def add_common_options(command: Any) -> Any:
    """Add ``--quiet`` and ``--verbose`` to a command, and to every command below it.

    Args:
        command: a command or a group; it is changed and returned.
    """
    below = getattr(command, "commands", None)
    if below is None:
        command.params.extend(map(copy, _options()))  # help texts are changed in place
    else:
        for each in below.values():
            add_common_options(each)
    return command


@cache
def _options() -> list[Any]:
    def verb(
        quiet: Annotated[
            bool,
            typer.Option(
                "--quiet",
                "-q",
                callback=_quiet,
                expose_value=False,
                help="No progress and no notes; results and errors only.",
            ),
        ] = False,
        verbose: Annotated[
            bool,
            typer.Option(
                "--verbose", "-v", callback=_verbose, expose_value=False, help="Log what is done, on standard error."
            ),
        ] = False,
    ) -> None: ...

    own = typer.Typer(add_completion=False)
    own.command()(verb)
    return [parameter for parameter in typer.main.get_command(own).params if parameter.name in ("quiet", "verbose")]


@contextmanager
def as_before() -> Iterator[None]:
    """Undo on leaving what the options of a verb have set: several verbs may run in one process."""
    package, quiet = logging.getLogger(PACKAGE), stderr.quiet
    handlers, level = list(package.handlers), package.level
    try:
        yield
    finally:
        stderr.quiet = quiet
        package.handlers[:] = handlers
        package.setLevel(level)
