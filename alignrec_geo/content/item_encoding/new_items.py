"""Items that a data set does not know, one JSON object per line."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alignrec_geo.content.item_encoder import NewItem
from alignrec_geo.content.tokens.text_tokens import item_texts
from alignrec_geo.dataset.readers.html_text import takes_html_out, without_html
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.files import is_within
from alignrec_geo.reading import check_plain_file, reading

KIND = "text file of JSON lines"
KEYS = ("id", "title", "text", "image", "features")
"""What a line may hold; only ``id`` must be there."""


def read_new_items(
    file: Path, dataset: Dataset, widths: Mapping[str, int], images: Path | None = None
) -> list[NewItem]:
    """Read and check a file of new items; images are not opened yet.

    A line looks like ``{"id": "SKU-9", "title": "Red mug", "text": "Stoneware.", "image": "sku-9.jpg"}``. With
    ``"features": {"NAME": [numbers]}`` an item brings its own row of a feature matrix. HTML is taken out of titles and
    texts if it was taken out of those of the data set.

    Args:
        file: JSON lines in UTF-8; empty lines are skipped.
        dataset: the items in it are not new.
        widths: width of every feature matrix that a line may bring a row of.
        images: folder of the images; the file's own if not given.

    Raises:
        InputError: names file and line: not JSON, an unknown key, a missing, repeated or known id, a value of the wrong
            kind, or an image outside the folder. Or the file or folder is not there, holds no items, or ``images``
            holds no image of any item.
    """
    folder = file.parent if images is None else images
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of images")
    known, no_html = set(dataset.items["id"].to_list()), takes_html_out(dataset.source)
    first_line: dict[str, int] = {}
    items: list[NewItem] = []
    for number, text in enumerate(_lines(file), start=1):
        if not text.strip():
            continue
        where = f"{file}, line {number}"
        with reading(where, "JSON object of an item"):
            entry = _entry(text, where)
        if no_html:
            entry |= {key: without_html(entry[key]) or None for key in ("title", "text") if entry.get(key)}
        name = entry["id"]
        if name in first_line:
            raise InputError(f"{where}: item '{name}' is on line {first_line[name]} already")
        if name in known:
            raise InputError(f"{where}: item '{name}' is in data set '{dataset.name}' already; it is not new")
        first_line[name] = number
        items.append(
            NewItem(
                id=name,
                text=_joined(entry),
                image=_image(entry.get("image"), folder, where),
                vectors=_vectors(entry.get("features"), widths, where),
                title=entry.get("title"),
                description=entry.get("text"),
            )
        )
    if not items:
        raise InputError(f"{file}: no items in it")
    if images is not None:
        _check_images(file, images, items)
    return items


def _check_images(file: Path, images: Path, items: Sequence[NewItem]) -> None:
    """A folder that was named and holds no image of any item is a mistake."""
    named = [item.image for item in items if item.image is not None]
    if not named:
        raise InputError(f"{images}: no line of {file} names an image of it; 'image' is the key")
    if not any(image.is_file() for image in named):
        wanted = ", ".join(image.relative_to(images).as_posix() for image in named[:3])
        there = ", ".join(sorted(entry.name for entry in images.iterdir())[:3]) or "nothing"
        raise InputError(
            f"{images}: holds none of the {len(named)} images that {file} names; it names for example {wanted}, the "
            f"folder holds for example {there}"
        )


def _lines(file: Path) -> list[str]:
    check_plain_file(file, KIND)
    with reading(file, KIND):
        return file.read_text(encoding="utf-8-sig").split("\n")


def _entry(text: str, where: str) -> dict[str, Any]:
    try:
        entry = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{where}: not JSON ({error})") from None
    if not isinstance(entry, dict):
        raise InputError(f"{where}: a line is one JSON object (got {type(entry).__name__})")
    unknown = [key for key in entry if key not in KEYS]
    if unknown:
        raise InputError(f"{where}: unknown key (got '{unknown[0]}'); allowed: {', '.join(KEYS)}")
    if type(entry.get("id")) is int:
        entry["id"] = str(entry["id"])
    if not isinstance(entry.get("id"), str) or not entry["id"].strip():
        raise InputError(f"{where}: 'id' must be a text that is not empty, or a whole number (got {entry.get('id')!r})")
    for key in ("title", "text", "image"):
        if not isinstance(entry.get(key), str | None):
            raise InputError(f"{where}: '{key}' must be a text (got {entry[key]!r})")
    for key in ("id", "title", "text", "image"):
        (entry.get(key) or "").encode()  # half a character of two, which JSON can hold, is none
    return entry


def _joined(entry: Mapping[str, Any]) -> str | None:
    """Title and text as one, the way the data set's own items are read."""
    schema = {"title": pl.String, "text": pl.String}
    return item_texts(pl.DataFrame({key: [entry.get(key)] for key in schema}, schema=schema))[0]


def _image(name: str | None, folder: Path, where: str) -> Path | None:
    if name is None:
        return None
    path = Path(name)
    if path.is_absolute() or ".." in path.parts or not path.name:
        raise InputError(f"{where}: 'image' is the name of a file in {folder} (got '{name}')")
    if not is_within(folder / path, folder):
        raise InputError(f"{where}: 'image' is a link that leads out of {folder} (got '{name}')")
    return folder / path


def _vectors(given: Any, widths: Mapping[str, int], where: str) -> dict[str, NDArray[np.float32]]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise InputError(f"{where}: 'features' must be an object of NAME: [numbers] (got {given!r})")
    vectors = {}
    for name, row in given.items():
        if name not in widths:
            raise InputError(f"{where}: the run has no features '{name}'; it has: {', '.join(widths) or 'none'}")
        vector = _numbers(row)
        if vector is None or len(vector) != widths[name]:
            raise InputError(f"{where}: features '{name}' must be a list of {widths[name]} finite numbers")
        vectors[name] = vector
    return vectors


def _numbers(row: Any) -> NDArray[np.float32] | None:
    """The vector, ``None`` if it is not a list of numbers that float32 can hold."""
    if not isinstance(row, list) or not all(type(number) in (int, float) for number in row):
        return None
    try:
        with np.errstate(over="ignore"):
            vector = np.array(row, dtype=np.float64).astype(np.float32)
    except OverflowError:
        return None
    return vector if np.isfinite(vector).all() else None
