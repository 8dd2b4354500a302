"""The command line: one file per verb, put together here."""

import os
import sys
from collections.abc import Callable
from functools import cache
from io import StringIO, TextIOWrapper
from typing import Any

import typer
from typer.main import get_command_name

from alignrec_geo.cli import data, features
from alignrec_geo.cli.boundary import guarded
from alignrec_geo.cli.common_options import add_common_options, as_before, top
from alignrec_geo.cli.compare import compare
from alignrec_geo.cli.config import config
from alignrec_geo.cli.doctor import doctor
from alignrec_geo.cli.embed import embed
from alignrec_geo.cli.evaluate import evaluate
from alignrec_geo.cli.explain import explain
from alignrec_geo.cli.export import export
from alignrec_geo.cli.help import plain_help
from alignrec_geo.cli.index import index
from alignrec_geo.cli.mask_modality import mask_modality
from alignrec_geo.cli.plan import plan
from alignrec_geo.cli.pretrain import pretrain
from alignrec_geo.cli.probe import probe
from alignrec_geo.cli.pull import pull
from alignrec_geo.cli.push import push
from alignrec_geo.cli.quickstart import quickstart
from alignrec_geo.cli.recommend import recommend
from alignrec_geo.cli.score import score
from alignrec_geo.cli.serve import serve
from alignrec_geo.cli.similar import similar
from alignrec_geo.cli.slim import slim
from alignrec_geo.cli.train import train
from alignrec_geo.cli.tune import tune
from alignrec_geo.cli.update import update
from alignrec_geo.deferred_imports import defer_imports

GROUPS = {"data": data.app, "features": features.app}
VERBS = (
    quickstart,
    pretrain,
    config,
    plan,
    train,
    update,
    compare,
    tune,
    evaluate,
    embed,
    index,
    recommend,
    similar,
    score,
    explain,
    serve,
    probe,
    mask_modality,
    export,
    slim,
    push,
    pull,
    doctor,
)


def make_app(only: str | None = None) -> typer.Typer:
    """Put the command line together.

    Args:
        only: leave out every verb and group but this one.
    """
    made = typer.Typer(
        name="alignrec-geo", no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode="rich"
    )
    made.callback()(top)
    for verb in VERBS:
        if only in (None, name_of(verb)):
            made.command()(verb)
    for name, group in GROUPS.items():
        if only in (None, name):
            made.add_typer(group, name=name)
    return made


def name_of(verb: Callable[..., None]) -> str:
    """What a verb is called on the command line."""
    return get_command_name(verb.__name__)


app = make_app()


COMPLETION = "_ALIGNREC_GEO_COMPLETE"
"""Environment variable by which a shell asks what may follow (set up by ``--install-completion``)."""


def main() -> None:
    """Run the command line and exit; see :func:`~alignrec_geo.cli.boundary.guarded` for the codes."""
    defer_imports()
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller
            setattr(sys, name, StringIO())
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # where the locale has no such letter
    with as_before():
        code = guarded(_run)
    if code:
        sys.exit(code)


def _run() -> None:
    known = {*GROUPS, *(name_of(verb) for verb in VERBS)}
    first = sys.argv[1] if sys.argv[1:] else ""
    command = _command(first if first in known and COMPLETION not in os.environ else None)
    if COMPLETION in os.environ:
        command.main(prog_name="alignrec-geo")
    with command.make_context("alignrec-geo", sys.argv[1:]) as context:
        command.invoke(context)


@cache
def _command(only: str | None) -> Any:
    """What runs a verb: made of that verb alone, for all of them take a tenth of a second."""
    return plain_help(add_common_options(typer.main.get_command(make_app(only))))


if __name__ == "__main__":
    main()
