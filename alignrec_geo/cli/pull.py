"""``alignrec-geo pull``: a run, a data set or features from the Hugging Face Hub."""

from pathlib import Path
from typing import Annotated

import typer

from alignrec_geo.cli.output import JsonFlag, print_json, stderr, stdout


def pull(
    address: Annotated[
        str,
        typer.Argument(metavar="ADDRESS", help="OWNER/NAME on the Hub, with @REVISION if need be.", show_default=False),
    ],
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="New folder; of features also a data set.", show_default=False)
    ],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a folder of the same kind, or features of the same names.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Fetch a run, a data set or features that 'push' sent, and check every file before the folder appears.

    Example: alignrec-geo pull me/shop-alignrec runs/shop

    Nothing that comes is run or unpickled. datasets/OWNER/NAME says that a data set is meant. Features go into the data
    set PATH by item id, or into a folder of their own. A broken transfer goes on with the same command.
    """
    from alignrec_geo.cli.hub import quiet_bars
    from alignrec_geo.sharing.pull import pull as fetch

    quiet_bars(as_json)
    pulled = fetch(address, path, overwrite=overwrite)
    if as_json:
        print_json({**vars(pulled), "path": str(pulled.path)})
        return
    stderr.print(
        f"{pulled.files} files, {pulled.bytes / 1e6:,.1f} MB, all as {pulled.address} at {pulled.commit[:12]} says",
        soft_wrap=True,
    )
    for name, items in (pulled.matched or {}).items():
        stdout.print(f"{path}: features '{name}' for {items:,} of its items", soft_wrap=True)
    if pulled.matched is None:
        stdout.print(f"{path}: {pulled.kind}", soft_wrap=True)
