"""What a program is called by, and how it starts."""

import sys
from collections.abc import Callable
from pathlib import Path

import typer

Program = Callable[..., None] | typer.Typer
"""A function, whose parameters are its options, or an app of several commands."""


def called_as() -> str:
    """``python benchmarks NAME``, or ``python benchmarks/NAME.py`` of a program that lies there."""
    file = Path(sys.argv[0])
    return f"python benchmarks/{file.name}" if file.parent.name == "benchmarks" else f"python benchmarks {file.stem}"


def as_app(program: Program) -> typer.Typer:
    """The program as an app of Typer."""
    if isinstance(program, typer.Typer):
        return program
    app = typer.Typer(add_completion=False)
    app.command()(program)
    return app


def run_program(program: Program) -> None:
    """Run a program; its usage and its errors name the call."""
    as_app(program)(prog_name=called_as())
