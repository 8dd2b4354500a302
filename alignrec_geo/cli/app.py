"""The command line: one file per verb, put together here."""

import os
import sys
from io import StringIO, TextIOWrapper

import typer

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

app = typer.Typer(
    name="alignrec-geo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.callback()(top)
app.command()(quickstart)
app.add_typer(data.app, name="data")
app.add_typer(features.app, name="features")
for verb in (
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
):
    app.command()(verb)


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
    command = plain_help(add_common_options(typer.main.get_command(app)))
    if COMPLETION in os.environ:
        command.main(prog_name="alignrec-geo")
    with command.make_context("alignrec-geo", sys.argv[1:]) as context:
        command.invoke(context)


if __name__ == "__main__":
    main()
