"""Start a program by the words that it is called with."""

import sys
from collections.abc import Callable
from pathlib import Path

import typer


def run_program(program: Callable[..., None] | typer.Typer) -> None:
    """Run a function, or an app of several commands, as ``python benchmarks NAME``: usage and errors name that call.

    Args:
        program: what to run; the options of a function are its parameters.
    """
    if isinstance(program, typer.Typer):
        app = program
    else:
        app = typer.Typer(add_completion=False)
        app.command()(program)
    app(prog_name=f"python benchmarks {Path(sys.argv[0]).stem}")
