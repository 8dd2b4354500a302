"""What the verbs that take new items share: the file of items, and where their encoders are."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alignrec_geo.errors import InputError

if TYPE_CHECKING:
    from alignrec_geo.content.item_encoder import NewItem
    from alignrec_geo.dataset.store import Dataset


NewImagesOption = Annotated[
    Path | None,
    typer.Option("--images", metavar="DIR", help="Folder of their images; that of --items if not given."),
]
MovedDatasetOption = Annotated[
    Path | None, typer.Option("--dataset", metavar="DIR", help="Data set of the run, if it was moved.")
]


def new_items(file: Path | None, images: Path | None, data: "Dataset", widths: dict[str, int]) -> "list[NewItem]":
    """The items of a file; none without one.

    Raises:
        InputError: see :func:`~alignrec_geo.content.item_encoding.new_items.read_new_items`.
    """
    from alignrec_geo.content.item_encoding.new_items import read_new_items

    if file is None:
        if images is not None:
            raise InputError("--images goes with --items")
        return []
    return read_new_items(file, data, widths, images)


def encoder_folders(given: list[str], features: list[str]) -> dict[str, str]:
    """Folders of encoders by feature, from NAME=FOLDER.

    Raises:
        InputError: no such feature, twice the same, or no folder.
    """
    sources: dict[str, str] = {}
    for part in given:
        name, _, folder = part.partition("=")
        if name not in features or not folder or name in sources:
            raise InputError(
                f"--encoder takes NAME=FOLDER, each of the run's features ({', '.join(features)}) once (got '{part}')"
            )
        sources[name] = folder
    return sources
