"""A data set from polars or pandas frames."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from alignrec_geo.dataset.build import Tables, build_dataset
from alignrec_geo.dataset.filters import FilterConfig
from alignrec_geo.dataset.ids import text_ids, whole_item_ids
from alignrec_geo.dataset.images import ImageSource
from alignrec_geo.dataset.readers.arrays import float32_matrix
from alignrec_geo.dataset.readers.feature_files import ItemIds, with_matrices
from alignrec_geo.dataset.readers.frames import frame_columns, frame_table
from alignrec_geo.dataset.readers.items import item_table
from alignrec_geo.dataset.readers.matching import check_any_match, match_note
from alignrec_geo.dataset.readers.matrices import Matrix
from alignrec_geo.dataset.readers.table import interaction_columns
from alignrec_geo.dataset.splits import SplitConfig, split_config
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.settings import checked


def from_frame(
    interactions: Any,
    *,
    name: str = "frame",
    user: str = "user",
    item: str = "item",
    split: str | None = None,
    timestamp: str | None = None,
    rating: str | None = None,
    items: Any = None,
    item_id: str = "id",
    title: str | None = None,
    text: str | Sequence[str] | None = None,
    all_items: bool = False,
    features: Mapping[str, Any] | None = None,
    images: str | os.PathLike[str] | ImageSource | None = None,
    rule: SplitConfig | str | None = None,
    skip_empty_ids: bool = False,
    min_rating: float | None = None,
    k_core: int = 1,
) -> Dataset:
    """Build a data set from frames in memory; :meth:`alignrec_geo.Dataset.from_frame` says what the arguments are."""
    named = {"user": user, "item": item, "split": split, "timestamp": timestamp, "rating": rating}
    columns = {argument: _column(argument, column) for argument, column in named.items() if column is not None}
    made = split_config(rule, "rule")
    if split is not None and made is not None and made.rule != "given":
        raise InputError(f"split column '{split}' and rule '{made.rule}' contradict each other; give one")
    table = frame_table(interactions, "interactions", list(columns.values()))
    frame, notes = interaction_columns(table, **columns, skip_empty_ids=skip_empty_ids)  # type: ignore[arg-type]
    described: pl.DataFrame | None = None
    if items is not None:
        described, said = _items(items, item_id, title, text, skip_empty_ids)
        check_any_match(frame["item"], described["id"], "items frame")
        notes += said
    elif title is not None or text is not None:
        raise InputError("title and text are columns of the items frame; give it with items=")
    matrices = {_feature_name(key): _matrix(key, given) for key, given in _features(features).items()}
    dataset = build_dataset(
        str(name),
        Tables(
            interactions=frame,
            items=described,
            keep_items=all_items,
            images=_images(images),
        ),
        SplitConfig(rule="given") if split is not None else made or SplitConfig(),
        checked(FilterConfig, {"min_rating": min_rating, "k_core": k_core}),
        source={"format": "frame", **whole_item_ids(table.frame[columns["item"]].dtype.is_integer())},
        notes=notes,
    )
    if described is not None:
        note = match_note(dataset.items["id"], described["id"], "items frame")
        dataset = replace(dataset, notes=[*dataset.notes, note])
    known = frame["item"] if described is None else pl.concat([frame["item"], described["id"].rename("item")])
    ids = ItemIds(known=known.unique(), listed=None if described is None else described["id"], given="as (ids, matrix)")
    return with_matrices(dataset, ids, matrices)


def _items(
    items: Any, item_id: str, title: str | None, text: str | Sequence[str] | None, skip_empty_ids: bool
) -> tuple[pl.DataFrame, list[str]]:
    has = frame_columns(items, "items")
    fields = ["text"] * ("text" in has) if text is None else [text] if isinstance(text, str) else text
    if not isinstance(fields, list | tuple):
        raise InputError(f"text: the name of a column, or a list of names, is needed (got {text!r:.80})")
    texts = [_column("text", field) for field in fields]
    titled = "title" if title is None and "title" in has else title
    wanted = [_column("item_id", item_id), *texts, *([] if titled is None else [_column("title", titled)])]
    table = frame_table(items, "items", wanted)
    return item_table(table, wanted[0], None if titled is None else wanted[-1], texts, skip_empty_ids)


def _column(argument: str, name: Any) -> str:
    """The name of a column; whole numbers are names too, as pandas numbers columns without names."""
    if isinstance(name, str) or (isinstance(name, int) and not isinstance(name, bool)):
        return str(name)
    raise InputError(f"{argument}: the name of a column is needed (got {name!r:.80})")


def _features(features: Any) -> Mapping[str, Any]:
    if features is None or isinstance(features, Mapping):
        return features or {}
    raise InputError(
        "features: matrices by name are needed, {'image': (ids, matrix)} for example "
        f"(got {type(features).__name__} {features!r:.80})"
    )


def _feature_name(name: Any) -> str:
    if not isinstance(name, str):
        raise InputError(f"features: a name is text (got {name!r:.80})")
    return name


def _images(images: Any) -> Any:
    if images is None or isinstance(images, str | os.PathLike):
        return None if images is None else ImageSource(Path(images))
    if not hasattr(images, "__iter__"):
        raise InputError(f"images: a folder or an archive of images is needed (got {images!r:.80})")
    return images


def _matrix(name: str, given: Any) -> Matrix:
    label = f"features '{name}'"
    if not isinstance(given, tuple):
        return Matrix(float32_matrix(given, label), label)
    if len(given) != 2:
        raise InputError(f"{label}: (ids, matrix) or a matrix is needed (got a tuple of {len(given)})")
    ids, values = given
    named = pl.Series("id", text_ids(ids, f"{label}: ids"), dtype=pl.String)
    return Matrix(float32_matrix(values, label), label, named)
