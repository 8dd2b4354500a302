"""The run folder that a verb reads; one that is none is refused before anything heavy is loaded."""

from pathlib import Path
from typing import Annotated

import typer


def check_run(run: Path) -> Path:
    """Return the folder of a trained run.

    Raises:
        InputError: it holds no tables.
    """
    from alignrec_geo.serving.file_names import EMBEDDINGS, without_tables
    from alignrec_geo.staging import recover

    recover(run)
    if not (run / EMBEDDINGS).exists():
        raise without_tables(run)
    return run


RunArgument = Annotated[
    Path, typer.Argument(help="Run folder (made by 'train').", show_default=False, callback=check_run)
]
