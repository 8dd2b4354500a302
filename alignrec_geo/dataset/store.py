"""The data set folder: parquet tables, safetensors features, and a manifest with hashes."""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from alignrec_geo.dataset.features import Features, checked_name
from alignrec_geo.dataset.from_memory import FromMemory
from alignrec_geo.dataset.ids import text_ids
from alignrec_geo.dataset.images import ImageBytes
from alignrec_geo.dataset.interactions import Interactions
from alignrec_geo.dataset.manifest import (
    DATA_SET,
    ENCODERS,
    MANIFEST,
    TABLES,
    Manifest,
    data_set_to_itself,
    finish_pending,
    found_manifest,
    pending_file,
    read_manifest,
    stored_file,
)
from alignrec_geo.dataset.rows_by_id import RowsById
from alignrec_geo.dataset.schema import check_counts, check_ids, read_interactions, stored_image_path
from alignrec_geo.dataset.splits import SplitConfig, make_split
from alignrec_geo.dataset.summary import html_summary, text_summary
from alignrec_geo.dataset.write import feature_file, write_folder
from alignrec_geo.errors import InputError, UnknownId
from alignrec_geo.files import inside, is_within, sha256_of, write_json
from alignrec_geo.folders import atomic_directory
from alignrec_geo.parquet import read_parquet
from alignrec_geo.reading import as_path
from alignrec_geo.typing import Int64


@dataclass(frozen=True)
class Dataset(FromMemory):
    """A recommendation data set: interactions, items with content, and feature matrices.

    Args:
        name: what tables call it.
        interactions: pairs and their split, in row numbers.
        users: polars frame with the column ``id`` (external, text), one row per user.
        items: polars frame with ``id``, ``title``, ``text``, ``image`` (path in the folder); only ``id`` is never null.
            It may have other columns, which conditions on what is recommended can name.
        split_config: how the split was made.
        source: where it came from.
        notes: what the import changed or could not use.
        images: images not stored yet; :meth:`save` copies them.
        path: the folder, once there is one.
        loaded: feature matrices in memory, which replace stored ones of their name when this is saved.

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
    images: Iterable[ImageBytes] | None = field(default=None, repr=False)
    path: Path | None = None
    loaded: dict[str, Features] = field(default_factory=dict, repr=False)
    _read: dict[str, Features] = field(default_factory=dict, repr=False)

    @property
    def feature_names(self) -> list[str]:
        """Names of all feature matrices, stored or in memory, sorted."""
        stored = set() if self.path is None else set(read_manifest(self.path).feature_names())
        by_hand = [] if self.path is None else (self.path / "features").glob("*.safetensors")
        return sorted(set(self.loaded) | stored | {file.stem for file in by_hand})

    def features(self, name: str) -> Features:
        """Return a feature matrix, reading it on first use.

        Raises:
            InputError: there is none of that name, or its file does not fit the manifest or the items.
        """
        if name in self.loaded:
            return self.loaded[name]
        if name not in self._read:
            if self.path is None or name not in self.feature_names:
                known = ", ".join(self.feature_names) or "none"
                raise InputError(f"data set '{self.name}' has no features '{name}'; there are: {known}")
            file = stored_file(self.path, feature_file(name), self._manifest())
            self._read[name] = self._fitting(Features.load(file))
        return self._read[name]

    def with_features(self, *features: Features) -> "Dataset":
        """The same data set with feature matrices added or replaced (in memory, until saved)."""
        return replace(self, loaded={**self.loaded, **{f.name: f for f in map(self._fitting, features)}})

    def store_features(self, *features: Features, overwrite: bool = False) -> "Dataset":
        """Add feature matrices to the folder this data set was opened from, and return it as stored.

        Nothing else in the folder is touched. A process that is killed leaves each matrix as it was or as it is to be;
        processes that store at the same time wait for each other.

        Raises:
            InputError: there is no folder yet, a name is taken and ``overwrite`` is false, a matrix does not fit, or
                there is a file of that name that this program did not put there.
        """
        folder = self._folder()
        with data_set_to_itself(folder):
            taken = [part.name for part in features if part.name in self.feature_names]
            if taken and not overwrite:
                raise InputError(f"data set '{self.name}' has features '{taken[0]}' already; overwrite replaces them")
            manifest = self._manifest()
            for part in map(self._fitting, features):
                file = feature_file(part.name)
                if file not in manifest.files and inside(folder, file).exists():
                    raise InputError(f"{folder / file}: not listed in {MANIFEST}; it is not replaced")
                pending = pending_file(folder, file)
                part.save(pending)
                manifest.files[file] = sha256_of(pending)
                write_json(folder / MANIFEST, manifest.model_dump())
                finish_pending(folder, file, manifest)
        return Dataset.open(folder)

    def encoder_folder(self, name: str) -> Path:
        """Where the pre-trained encoder of features ``name`` is stored.

        Raises:
            InputError: there is no folder yet, features cannot have that name, or a link leads out of the folder.
        """
        return inside(self._folder(), f"{ENCODERS}/{checked_name(name)}")

    def with_split(self, config: SplitConfig) -> "Dataset":
        """The same data set split by another rule (in memory, until saved)."""
        given: Any = config
        if not isinstance(given, SplitConfig):
            raise InputError(f"with_split takes a SplitConfig, such as SplitConfig(rule='random') (got {given!r:.80})")
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
            overwrite: replace a data set that is there (it may be the one this data set was opened from); a folder that
                holds anything else is never replaced.
            content: also write features and images; without them the folder is what a run keeps for serving.

        Raises:
            InputError: the folder exists and ``overwrite`` is false, it cannot be replaced (see
                :func:`alignrec_geo.folders.folder_target`), or the images cannot be read.
        """
        target = as_path(path)
        images = getattr(self.images, "path", None)
        with atomic_directory(target, DATA_SET, overwrite, [images]) as folder:
            # the old folder goes away if this one takes its place: links are as good as copies then
            in_place = self.path is not None and is_within(target, self.path) and is_within(self.path, target)
            write_folder(self, folder, in_place, content)
        return Dataset.open(target)

    def __repr__(self) -> str:
        return text_summary(self)

    def _repr_html_(self) -> str:
        return html_summary(self)

    def counts(self) -> dict[str, int]:
        """Users, items, interactions and the size of each split."""
        pairs = self.interactions
        return {"users": pairs.n_users, "items": pairs.n_items, "interactions": len(pairs), **pairs.split_sizes()}

    def fingerprint(self) -> str:
        """SHA-256 of pairs, splits, weights and external ids: equal for equal data, wherever it is stored."""
        digest, pairs = hashlib.sha256(), self.interactions
        for column in (pairs.user, pairs.item, pairs.split, *([] if pairs.weight is None else [pairs.weight])):
            digest.update(np.ascontiguousarray(column).data)
        for ids in (self.users["id"], self.items["id"]):
            digest.update("\n".join(ids.to_list()).encode())
        return digest.hexdigest()

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> "Dataset":
        """Open a data set folder; feature matrices are read on first use.

        Raises:
            InputError: not a data set folder, another schema version, or a file that does not fit its hash or does not
                hold what it must; names the file and, of tables, the column.
        """
        folder = as_path(path)
        manifest = found_manifest(folder)
        files = {name: stored_file(folder, f"{name}.parquet", manifest) for name in TABLES}
        tables = {name: read_parquet(file) for name, file in files.items()}
        for name in ("users", "items"):
            check_ids(tables[name], name, files[name])
        sizes = (tables["users"].height, tables["items"].height)
        made = cls(
            name=manifest.name,
            interactions=read_interactions(tables["interactions"], *sizes, files["interactions"]),
            users=tables["users"],
            items=tables["items"],
            split_config=manifest.split,
            source=manifest.source,
            notes=manifest.notes,
            path=folder,
        )
        check_counts(made.counts(), manifest.counts, folder / MANIFEST)
        return made

    def image_path(self, row: int) -> Path | None:
        """The stored image of an item row, ``None`` without one.

        Raises:
            InputError: its path or a link leads out of the folder.
        """
        name = self.items["image"][row]
        return None if name is None or self.path is None else inside(self.path, stored_image_path(name))

    def _fitting(self, features: Features) -> Features:
        given: Any = features
        if not isinstance(given, Features):
            raise InputError(f"feature matrices are given as Features (got {given!r:.80})")
        if len(features.matrix) != self.interactions.n_items:
            raise InputError(
                f"features '{features.name}' have {len(features.matrix)} rows, "
                f"data set '{self.name}' has {self.interactions.n_items} items"
            )
        return features

    def _folder(self) -> Path:
        if self.path is None:
            raise InputError(f"data set '{self.name}' has no folder yet; save it first")
        return self.path

    def _manifest(self) -> Manifest:
        return read_manifest(self._folder())


def _rows(known: pl.Series, ids: Any, kind: str, dataset: str) -> Int64:
    wanted = text_ids(ids, f"{kind} ids")
    rows = RowsById(known).many(pl.Series(wanted, dtype=pl.String))
    if (rows < 0).any():
        unknown = wanted[int((rows < 0).argmax())]
        examples = ", ".join(f"'{name}'" for name in known.head(3).to_list())
        raise UnknownId(f"unknown {kind} '{unknown}' in data set '{dataset}'; known are for example {examples}")
    return rows
