"""``alignrec-geo data croissant``: a data set described for other programs."""

import os
from pathlib import Path
from typing import Annotated

import typer

from alignrec_geo.cli.output import JsonFlag, print_json, stdout


def croissant(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Data set folder.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="File to write; DATASET/croissant.json if not given.")
    ] = None,
    license_: Annotated[
        str | None, typer.Option("--license", metavar="ID", help="SPDX name or address of the licence.")
    ] = None,
    url: Annotated[str | None, typer.Option("--url", help="Page of the data set.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write a Croissant description (JSON-LD of MLCommons): columns, and the hash of every table and matrix.

    Example: alignrec-geo data croissant data/ml-100k --license cc-by-4.0

    mlcroissant.Dataset('data/ml-100k/croissant.json').records('interactions') reads it. Write it again when features
    were added; 'push' makes its own.
    """
    from alignrec_geo.dataset.manifest import CROISSANT, MANIFEST
    from alignrec_geo.dataset.store import Dataset
    from alignrec_geo.files import atomic_path
    from alignrec_geo.outputs import output_file
    from alignrec_geo.sharing.croissant import croissant_text
    from alignrec_geo.sharing.data_package import data_files

    Dataset.open(dataset)
    wanted = dataset / CROISSANT if out is None else out
    collected = data_files(dataset, dataset, without_images=False).files
    target = output_file(wanted, collected.values())
    way = os.path.relpath(dataset.resolve(), target.parent)
    prefix = "" if way == "." else f"{Path(way).as_posix()}/"
    text = croissant_text(dataset, collected, license_, url, prefix)
    with atomic_path(target) as staging:
        staging.write_text(text, encoding="utf-8")
    if as_json:
        print_json({"path": str(wanted), "files": sorted(path for path in collected if path != MANIFEST)})
    else:
        stdout.print(str(wanted), soft_wrap=True)
