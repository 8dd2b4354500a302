"""What is written into the folder of a data set."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from alignrec_geo.dataset.images import store_images
from alignrec_geo.dataset.interactions import OPTIONAL, Interactions
from alignrec_geo.dataset.manifest import ENCODERS, read_manifest, stored_file
from alignrec_geo.dataset.schema import stored_image_path
from alignrec_geo.files import inside, naming
from alignrec_geo.folders import copy_file, copy_tree

if TYPE_CHECKING:
    from alignrec_geo.dataset.store import Dataset


def feature_file(name: str) -> str:
    """Where a feature matrix is in the folder."""
    return f"features/{name}.safetensors"


def write_tables(folder: Path, pairs: Interactions, users: pl.DataFrame, items: pl.DataFrame) -> None:
    """Write interactions, users and items."""
    columns: Mapping[str, Any] = {
        "user": pairs.user.astype(np.int32),
        "item": pairs.item.astype(np.int32),
        "split": pairs.split,
        **{name: getattr(pairs, name) for name in OPTIONAL},
    }
    frame = pl.DataFrame({name: column for name, column in columns.items() if column is not None})
    for name, table in (("interactions", frame), ("users", users), ("items", items)):
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
