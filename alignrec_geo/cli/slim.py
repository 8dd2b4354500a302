"""``alignrec-geo slim``: a finished run without what only continuing it needs."""

from pathlib import Path
from typing import Annotated

import typer

from alignrec_geo.cli.output import JsonFlag, print_json, stdout


def slim(
    run: Annotated[Path, typer.Argument(help="Run folder (made by 'train').", show_default=False)],
    as_json: JsonFlag = False,
) -> None:
    """Drop the optimiser's state of a finished run: it is smaller, and 'train --resume' cannot continue it.

    Example: alignrec-geo slim runs/shop

    Everything else works as before: 'recommend', 'evaluate', 'update', 'export' and the rest use other files.
    'train --slim' does the same when training ends.
    """
    from alignrec_geo.training.run_folder import RunFolder

    freed = RunFolder(run).make_slim()
    if as_json:
        print_json({"run": str(run), "freed_bytes": freed})
        return
    stdout.print(f"{run}: {freed:,} bytes freed" if freed else f"{run}: is slim already", soft_wrap=True)
