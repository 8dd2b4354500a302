"""``features float16``: feature matrices stored in half precision."""

from pathlib import Path
from typing import Annotated

import typer

from alignrec_geo.cli.output import JsonFlag, print_json, stdout
from alignrec_geo.errors import InputError


def float16(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Data set folder.", show_default=False)],
    features: Annotated[
        str | None, typer.Option("--features", help="Which, comma-separated; all if not given.")
    ] = None,
    json_: JsonFlag = False,
) -> None:
    """Store feature matrices in half precision: half the size, numbers to three digits.

    Example: alignrec-geo features float16 data/shop --features image,text

    They are replaced. Models get float32 as ever; 'features describe' and the card of 'features export' say how a
    matrix is stored.
    """
    from alignrec_geo.cli.comparing import split_names
    from alignrec_geo.dataset.store import Dataset
    from alignrec_geo.dataset.write import feature_file

    opened = Dataset.open(dataset)
    names = opened.feature_names if features is None else list(dict.fromkeys(split_names(features)))
    if not names:
        raise InputError(f"{dataset} has no feature matrices to store")
    files = [dataset / feature_file(name) for name in names]
    made = [opened.features(name).half() for name in names]
    before = [file.stat().st_size for file in files]
    opened.store_features(*made, overwrite=True)
    after = [file.stat().st_size for file in files]
    if json_:
        sizes = {name: list(pair) for name, pair in zip(names, zip(before, after, strict=True), strict=True)}
        print_json({"dataset": opened.name, "path": str(dataset), "bytes": sizes})
        return
    for name, old, new in zip(names, before, after, strict=True):
        stdout.print(
            f"{dataset}: features '{name}' are stored as float16, {old:,} bytes before, {new:,} now", soft_wrap=True
        )
