"""What is written into the folder of a data set."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from alignrec_geo.dataset.images import store_images
from alignrec_geo.dataset.interactions import OPTIONAL, Interactions
from alignrec_geo.dataset.manifest import ENCODERS, MANIFEST, SCHEMA_VERSION, Manifest, read_manifest, stored_file
from alignrec_geo.dataset.schema import stored_image_path
from alignrec_geo.files import inside, naming, sha256_of, write_json
from alignrec_geo.folders import copy_file, copy_tree

if TYPE_CHECKING:
    from alignrec_geo.dataset.store import Dataset


def feature_file(name: str) -> str:
    """Where a feature matrix is in the folder."""
    return f"features/{name}.safetensors"


def write_folder(
    data: "Dataset",
    folder: Path,
    link: bool = False,
    content: bool = True,
    counts: Mapping[str, int] | None = None,
) -> Manifest:
    """Fill the folder of a data set, and return its manifest.

    Args:
        data: what to write.
        folder: an empty folder.
        link: make hard links of stored content instead of copies.
        content: also write features and images.
        counts: of a data set whose ``interactions.parquet`` is there already, and not in ``data``.
    """
    items, notes = write_images(data, folder, link) if content else (without_images(data), [])
    if counts is None:
        _write(folder, interactions=_columns(data.interactions))
    _write(folder, users=data.users, items=items)
    if content:
        write_content(data, folder, link)
    files = sorted(file.relative_to(folder) for pattern in ("*.parquet", "features/*") for file in folder.glob(pattern))
    manifest = Manifest(
        schema_version=SCHEMA_VERSION,
        name=data.name,
        counts=data.counts() if counts is None else dict(counts),
        split=data.split_config,
        source=data.source,
        notes=[*data.notes, *notes],
        files={file.as_posix(): sha256_of(folder / file) for file in files},
        images=items["image"].count(),
    )
    write_json(folder / MANIFEST, manifest.model_dump())
    return manifest


def _columns(pairs: Interactions) -> pl.DataFrame:
    columns: Mapping[str, Any] = {
        "user": pairs.user.astype(np.int32),
        "item": pairs.item.astype(np.int32),
        "split": pairs.split,
        **{name: getattr(pairs, name) for name in OPTIONAL},
    }
    return pl.DataFrame({name: column for name, column in columns.items() if column is not None})


def _write(folder: Path, **tables: pl.DataFrame) -> None:
    for name, table in tables.items():
        file = folder / f"{name}.parquet"
        with naming(file):
            table.write_parquet(file)


def without_images(data: "Dataset") -> pl.DataFrame:
    """The items without the paths of their images."""
    return data.items.with_columns(pl.lit(None, dtype=pl.String).alias("image"))


def write_images(data: "Dataset", folder: Path, link: bool) -> tuple[pl.DataFrame, list[str]]:
    """Copy the images; returns the items with the paths of theirs, and notes on what could not be used."""
    if data.images is not None:
        names, notes = store_images(data.images, data.items["id"].to_list(), folder / "images")
        paths = [None if name is None else f"images/{name}" for name in names]
        return data.items.with_columns(pl.Series("image", paths, dtype=pl.String)), notes
    if data.path is not None:
        for name in data.items["image"].drop_nulls().unique().to_list():
            image = inside(data.path, stored_image_path(name))
            if image.is_file():
                copy_file(image, folder / name, link)
    return data.items, []


def write_content(data: "Dataset", folder: Path, link: bool) -> None:
    """Write feature matrices, and copy the encoders of the folder that this data set was opened from."""
    for name in data.feature_names:
        file = feature_file(name)
        if name in data.loaded:
            data.loaded[name].save(folder / file)
        elif data.path is not None:
            copy_file(stored_file(data.path, file, read_manifest(data.path)), folder / file, link)
    if data.path is not None and inside(data.path, ENCODERS).is_dir():
        copy_tree(data.path / ENCODERS, folder / ENCODERS, link)
