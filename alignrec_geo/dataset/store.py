"""The data set folder: parquet tables, safetensors features, and a manifest with hashes."""

import hashlib
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict

from alignrec_geo.dataset.features import Features
from alignrec_geo.dataset.ids import text_ids
from alignrec_geo.dataset.images import Picture, store_images
from alignrec_geo.dataset.interactions import Int64, Interactions
from alignrec_geo.dataset.splits import SplitConfig, make_split
from alignrec_geo.errors import InputError
from alignrec_geo.files import atomic_directory, read_json, sha256_of, write_json
from alignrec_geo.parquet import read_parquet
from alignrec_geo.validation import checked

SCHEMA_VERSION = 1
MANIFEST = "dataset.json"
ENCODERS = "encoders"
"""Folder of the encoders that were pre-trained on a data set, one folder each."""


class Manifest(BaseModel):
    """What ``dataset.json`` holds."""

    model_config = ConfigDict(extra="forbid")

    schema_version: int
    """Version of this layout."""
    name: str
    """Name of the data set."""
    counts: dict[str, int]
    """Users, items, interactions and the size of each split."""
    split: SplitConfig
    """How the split was made."""
    source: dict[str, str]
    """Where the data came from, free text by key."""
    notes: list[str]
    """What the import changed or could not use."""
    files: dict[str, str]
    """SHA-256 of every table and feature file."""
    images: int
    """Number of stored pictures."""


@dataclass(frozen=True)
class Dataset:
    """A recommendation data set: interactions, items with content, and feature matrices.

    Args:
        name: what tables call it.
        interactions: pairs and their split, in row numbers.
        users: polars frame with the column ``id`` (external, text), one row per user.
        items: polars frame with ``id``, ``title``, ``text``, ``image`` (path in the folder); only ``id`` is never null.
        split_config: how the split was made.
        source: where it came from.
        notes: what the import changed or could not use.
        images: pictures not stored yet; :meth:`save` copies them.
        path: the folder, once there is one.

    Example:
        >>> from alignrec_geo.dataset import make_catalogue
        >>> data = make_catalogue(n_users=60, n_items=40, image_size=16)
        >>> data.interactions.n_items
        40
        >>> data.feature_names
        ['image', 'text']
    """

    name: str
    interactions: Interactions
    users: pl.DataFrame
    items: pl.DataFrame
    split_config: SplitConfig = field(default_factory=lambda: SplitConfig(rule="given"))
    source: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    images: Iterable[Picture] | None = field(default=None, repr=False)
    path: Path | None = None
    loaded: dict[str, Features] = field(default_factory=dict, repr=False)

    @property
    def feature_names(self) -> list[str]:
        """Names of all feature matrices, stored or in memory, sorted."""
        stored = (self.path / "features").glob("*.safetensors") if self.path else []
        return sorted(set(self.loaded) | {file.stem for file in stored})

    def features(self, name: str) -> Features:
        """Return a feature matrix, reading it on first use.

        Raises:
            InputError: there is none of that name, or its file does not fit the manifest or the items.
        """
        if name not in self.loaded:
            if self.path is None or name not in self.feature_names:
                known = ", ".join(self.feature_names) or "none"
                raise InputError(f"data set '{self.name}' has no features '{name}'; there are: {known}")
            file = f"features/{name}.safetensors"
            _check_hash(self.path, file, self._manifest().files)
            self.loaded[name] = self._fitting(Features.load(self.path / file))
        return self.loaded[name]

    def with_features(self, *features: Features) -> "Dataset":
        """The same data set with feature matrices added or replaced (in memory, until saved)."""
        return replace(self, loaded={**self.loaded, **{f.name: self._fitting(f) for f in features}})

    def store_features(self, *features: Features, overwrite: bool = False) -> "Dataset":
        """Add feature matrices to the folder this data set was opened from, and return it as stored.

        Each file is complete before the manifest names it; nothing else in the folder is touched.

        Raises:
            InputError: there is no folder yet, a name is taken and ``overwrite`` is false, or a matrix does not fit.
        """
        if self.path is None:
            raise InputError(f"data set '{self.name}' has no folder yet; save it first")
        taken = [part.name for part in features if part.name in self.feature_names]
        if taken and not overwrite:
            raise InputError(f"data set '{self.name}' has features '{taken[0]}' already; overwrite replaces them")
        for part in map(self._fitting, features):
            file = f"features/{part.name}.safetensors"
            part.save(self.path / file)
            manifest = self._manifest()
            manifest.files[file] = sha256_of(self.path / file)
            write_json(self.path / MANIFEST, manifest.model_dump())
        return Dataset.open(self.path)

    def encoder_folder(self, name: str) -> Path:
        """Where the pre-trained encoder of features ``name`` is stored.

        Raises:
            InputError: there is no folder yet.
        """
        if self.path is None:
            raise InputError(f"data set '{self.name}' has no folder yet; save it first")
        return self.path / ENCODERS / name

    def with_split(self, config: SplitConfig) -> "Dataset":
        """The same data set split by another rule (in memory, until saved)."""
        return replace(
            self, interactions=self.interactions.with_split(make_split(self.interactions, config)), split_config=config
        )

    def user_rows(self, ids: Any) -> Int64:
        """Row numbers of external user ids: one, or a collection, of any type :func:`~.ids.text_id` takes.

        Raises:
            InputError: an id is unknown.
        """
        return _rows(self.users["id"], ids, "user", self.name)

    def item_rows(self, ids: Any) -> Int64:
        """Row numbers of external item ids, likewise.

        Raises:
            InputError: an id is unknown.
        """
        return _rows(self.items["id"], ids, "item", self.name)

    def save(self, path: str | os.PathLike[str], overwrite: bool = False, content: bool = True) -> "Dataset":
        """Write the folder, all of it or nothing, and return the data set as stored.

        Args:
            path: the folder.
            overwrite: replace a folder that is there (it may be the one this data set was opened from).
            content: also write features and pictures; without them the folder is what a run keeps for serving.

        Raises:
            InputError: the folder exists and ``overwrite`` is false, or the pictures cannot be read.
        """
        target = Path(path)
        with atomic_directory(target, overwrite) as folder:
            items, notes = self._write_images(folder) if content else (self._without_images(), [])
            _write_tables(folder, self.interactions, self.users, items)
            if content and self.path is not None and (self.path / ENCODERS).is_dir():
                shutil.copytree(self.path / ENCODERS, folder / ENCODERS)
            for name in self.feature_names if content else []:
                self.features(name).save(folder / "features" / f"{name}.safetensors")
            files = sorted(
                file.relative_to(folder) for pattern in ("*.parquet", "features/*") for file in folder.glob(pattern)
            )
            manifest = Manifest(
                schema_version=SCHEMA_VERSION,
                name=self.name,
                counts=self.counts(),
                split=self.split_config,
                source=self.source,
                notes=[*self.notes, *notes],
                files={file.as_posix(): sha256_of(folder / file) for file in files},
                images=items["image"].count(),
            )
            write_json(folder / MANIFEST, manifest.model_dump())
        return Dataset.open(target)

    def counts(self) -> dict[str, int]:
        """Users, items, interactions and the size of each split."""
        pairs = self.interactions
        return {"users": pairs.n_users, "items": pairs.n_items, "interactions": len(pairs), **pairs.split_sizes()}

    def fingerprint(self) -> str:
        """SHA-256 of the pairs, their split and the external ids: equal for equal data, wherever it is stored."""
        digest = hashlib.sha256()
        for column in (self.interactions.user, self.interactions.item, self.interactions.split):
            digest.update(np.ascontiguousarray(column).data)
        for ids in (self.users["id"], self.items["id"]):
            digest.update("\n".join(ids.to_list()).encode())
        return digest.hexdigest()

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> "Dataset":
        """Open a data set folder; feature matrices are read on first use.

        Raises:
            InputError: not a data set folder, another schema version, or a file that does not fit its hash.
        """
        folder = Path(path)
        if not folder.is_dir():
            raise InputError(f"{folder}: no such data set folder")
        manifest = _read_manifest(folder)
        tables = {}
        for name in ("interactions", "users", "items"):
            _check_hash(folder, f"{name}.parquet", manifest.files)
            tables[name] = read_parquet(folder / f"{name}.parquet")
        pairs = tables["interactions"]
        return cls(
            name=manifest.name,
            interactions=Interactions(
                user=pairs["user"].to_numpy().astype(np.int64),
                item=pairs["item"].to_numpy().astype(np.int64),
                split=pairs["split"].to_numpy().astype(np.int8),
                n_users=tables["users"].height,
                n_items=tables["items"].height,
                timestamp=_optional(pairs, "timestamp", np.int64 if _whole(pairs, "timestamp") else np.float64),
                rating=_optional(pairs, "rating", np.float32),
            ),
            users=tables["users"],
            items=tables["items"],
            split_config=manifest.split,
            source=manifest.source,
            notes=manifest.notes,
            path=folder,
        )

    @classmethod
    def from_frame(cls, interactions: Any, **options: Any) -> "Dataset":
        """Build a data set from a polars or pandas frame; see :func:`alignrec_geo.dataset.readers.frame.from_frame`."""
        from alignrec_geo.dataset.readers.frame import from_frame

        return from_frame(interactions, **options)

    @classmethod
    def from_hetero(cls, data: Any, **options: Any) -> "Dataset":
        """Build a data set from a PyG ``HeteroData``; see :func:`alignrec_geo.dataset.readers.hetero.from_hetero`."""
        from alignrec_geo.dataset.readers.hetero import from_hetero

        return from_hetero(data, **options)

    def image_path(self, row: int) -> Path | None:
        """The stored picture of an item row, ``None`` without one."""
        name = self.items["image"][row]
        return None if name is None or self.path is None else self.path / name

    def _fitting(self, features: Features) -> Features:
        if len(features.matrix) != self.interactions.n_items:
            raise InputError(
                f"features '{features.name}' have {len(features.matrix)} rows, "
                f"data set '{self.name}' has {self.interactions.n_items} items"
            )
        return features

    def _manifest(self) -> Manifest:
        assert self.path is not None
        return _read_manifest(self.path)

    def _without_images(self) -> pl.DataFrame:
        return self.items.with_columns(pl.lit(None, dtype=pl.String).alias("image"))

    def _write_images(self, folder: Path) -> tuple[pl.DataFrame, list[str]]:
        if self.images is not None:
            names, notes = store_images(self.images, self.items["id"].to_list(), folder / "images")
            paths = [None if name is None else f"images/{name}" for name in names]
            return self.items.with_columns(pl.Series("image", paths, dtype=pl.String)), notes
        if self.path is not None and (self.path / "images").is_dir():
            shutil.copytree(self.path / "images", folder / "images")
        return self.items, []


def _write_tables(folder: Path, pairs: Interactions, users: pl.DataFrame, items: pl.DataFrame) -> None:
    columns: Mapping[str, Any] = {
        "user": pairs.user.astype(np.int32),
        "item": pairs.item.astype(np.int32),
        "split": pairs.split,
        "timestamp": pairs.timestamp,
        "rating": pairs.rating,
    }
    frame = pl.DataFrame({name: column for name, column in columns.items() if column is not None})
    for name, table in (("interactions", frame), ("users", users), ("items", items)):
        table.write_parquet(folder / f"{name}.parquet")


def _read_manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    if not path.exists():
        raise InputError(f"{folder}: not a data set folder (no {MANIFEST}); make one with 'alignrec-geo data import'")
    content = read_json(path)
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != SCHEMA_VERSION:
        raise InputError(f"{path}: schema version {version!r}; this release reads version {SCHEMA_VERSION}")
    return checked(Manifest, content, prefix=f"{path}: ")


def _check_hash(folder: Path, file: str, files: Mapping[str, str]) -> None:
    path = folder / file
    if not path.exists():
        raise InputError(f"{path}: missing; the data set folder is incomplete")
    if file not in files:
        raise InputError(f"{path}: not listed in {MANIFEST}; add features with Dataset.store_features(...)")
    if sha256_of(path) != files[file]:
        raise InputError(f"{path}: does not match its hash in {MANIFEST}; the file is truncated or was changed")


def _whole(frame: pl.DataFrame, name: str) -> bool:
    return name not in frame.columns or frame[name].dtype.is_integer()


def _optional(frame: pl.DataFrame, name: str, kind: Any) -> Any:
    return frame[name].to_numpy().astype(kind) if name in frame.columns else None


def _rows(known: pl.Series, ids: Any, kind: str, dataset: str) -> Int64:
    wanted = text_ids(ids, f"{kind} ids")
    rows = pl.DataFrame({"id": pl.Series(wanted, dtype=pl.String)}).join(
        pl.DataFrame({"id": known}).with_row_index("row"), on="id", how="left", maintain_order="left"
    )["row"]
    if rows.null_count():
        unknown = wanted[int(rows.is_null().arg_max() or 0)]
        examples = ", ".join(f"'{name}'" for name in known.head(3).to_list())
        raise InputError(f"unknown {kind} '{unknown}' in data set '{dataset}'; known are for example {examples}")
    return rows.to_numpy().astype(np.int64)
