"""The command line: one file per verb, put together here."""

import sys
from typing import NoReturn

import typer

from alignrec_geo.cli import data, features
from alignrec_geo.cli.compare import compare
from alignrec_geo.cli.doctor import doctor
from alignrec_geo.cli.embed import embed
from alignrec_geo.cli.evaluate import evaluate
from alignrec_geo.cli.mask_modality import mask_modality
from alignrec_geo.cli.output import stderr
from alignrec_geo.cli.pretrain import pretrain
from alignrec_geo.cli.probe import probe
from alignrec_geo.cli.quickstart import quickstart
from alignrec_geo.cli.recommend import recommend, similar
from alignrec_geo.cli.train import train
from alignrec_geo.errors import FetchError, InputError, TrainingDiverged

app = typer.Typer(
    name="alignrec-geo",
    help="AlignRec on PyTorch Geometric: multimodal recommendation on a user-item graph.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",
)
app.command()(quickstart)
app.add_typer(data.app, name="data")
app.add_typer(features.app, name="features")
for verb in (pretrain, train, compare, evaluate, embed, recommend, similar, probe, mask_modality, doctor):
    app.command()(verb)


def main() -> None:
    """Run the command line: exit code 0, 2 for bad input, 1 for a failure, 130 for Ctrl-C."""
    try:
        app()
    except InputError as error:
        _stop(str(error), code=2)
    except (TrainingDiverged, FetchError) as error:
        _stop(str(error), code=1)


def _stop(message: str, code: int) -> NoReturn:
    stderr.print(f"error: {message}", markup=False, soft_wrap=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
