"""A data set from polars or pandas frames."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from alignrec_geo.dataset.build import Tables, build_dataset
from alignrec_geo.dataset.filters import FilterConfig
from alignrec_geo.dataset.ids import text_ids, whole_ids
from alignrec_geo.dataset.images import ImageSource
from alignrec_geo.dataset.readers.arrays import float32_matrix
from alignrec_geo.dataset.readers.delimited import TextLayout
from alignrec_geo.dataset.readers.feature_files import ItemIds, with_matrices
from alignrec_geo.dataset.readers.frames import frame_columns, frame_table
from alignrec_geo.dataset.readers.html_text import text_source
from alignrec_geo.dataset.readers.items import ItemColumns, item_table
from alignrec_geo.dataset.readers.matching import check_any_match, match_note
from alignrec_geo.dataset.readers.matrices import Matrix
from alignrec_geo.dataset.readers.named_images import named_images
from alignrec_geo.dataset.readers.pairs import PairColumns, interaction_columns
from alignrec_geo.dataset.readers.rows import Table
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
    weight: str | None = None,
    items: Any = None,
    item_id: str = "id",
    title: str | None = None,
    text: str | Sequence[str] | None = None,
    keep_html: bool = False,
    all_items: bool = False,
    features: Mapping[str, Any] | None = None,
    images: str | os.PathLike[str] | ImageSource | None = None,
    image: str | None = None,
    item_columns: Sequence[str] = (),
    rule: SplitConfig | str | None = None,
    skip_empty_ids: bool = False,
    skip_bad_rows: bool = False,
    strip_ids: bool = False,
    decimal: str = ".",
    min_rating: float | None = None,
    k_core: int = 1,
) -> Dataset:
    """Build a data set from frames in memory; :meth:`alignrec_geo.Dataset.from_frame` says what the arguments are."""
    named = {"user": user, "item": item, "split": split, "timestamp": timestamp, "rating": rating, "weight": weight}
    given = {argument: _column(argument, column) for argument, column in named.items() if column is not None}
    care = {"skip_empty_ids": skip_empty_ids, "skip_bad_rows": skip_bad_rows, "strip_ids": strip_ids}
    columns = PairColumns(**given, **care)  # type: ignore[arg-type]
    made = split_config(rule, "rule")
    if split is not None and made is not None and made.rule != "given":
        raise InputError(f"split column '{split}' and rule '{made.rule}' contradict each other; give one")
    mark = TextLayout(decimal=decimal, options=True).mark
    table = replace(frame_table(interactions, "interactions", columns.names()), decimal=mark)
    frame, notes = interaction_columns(table, columns)
    described: Table | None = None
    listed: pl.Series | None = None
    source = _images(images)
    if items is not None:
        kept = ItemColumns(
            _column("item_id", item_id), title, (), image, keep_html, item_columns=_names(item_columns), **care
        )
        described, said = _items(items, kept, text, mark)
        listed = described.frame["id"]
        check_any_match(frame["item"], listed, "items frame")
        notes += said
    elif title is not None or text is not None or image is not None or item_columns:
        raise InputError("title, text, image and item_columns are columns of the items frame; give it with items=")
    if described is not None and image is not None:
        source = named_images(described, image, _folder_of(images), Path("."))
    matrices = {_feature_name(key): _matrix(key, given) for key, given in _features(features).items()}
    dataset = build_dataset(
        str(name),
        Tables(
            interactions=frame,
            items=None if described is None else described.frame.drop("image"),
            keep_items=all_items,
            images=source,
        ),
        SplitConfig(rule="given") if split is not None else made or SplitConfig(),
        checked(FilterConfig, {"min_rating": min_rating, "k_core": k_core}),
        source={
            "format": "frame",
            **whole_ids(*(table.frame[name].dtype.is_integer() for name in (columns.user, columns.item))),
            **text_source(described is not None and not keep_html),
        },
        notes=notes,
    )
    if listed is not None:
        note = match_note(dataset.items["id"], listed, "items frame")
        dataset = replace(dataset, notes=[*dataset.notes, note])
    known = frame["item"] if listed is None else pl.concat([frame["item"], listed.rename("item")])
    ids = ItemIds(known=known.unique(), listed=listed, given="as (ids, matrix)")
    return with_matrices(dataset, ids, matrices)


def _items(
    items: Any, columns: ItemColumns, text: str | Sequence[str] | None, decimal: str | None
) -> tuple[Table, list[str]]:
    has = frame_columns(items, "items")
    fields = ["text"] * ("text" in has) if text is None else [text] if isinstance(text, str) else text
    if not isinstance(fields, list | tuple):
        raise InputError(f"text: the name of a column, or a list of names, is needed (got {text!r:.80})")
    title = "title" if columns.title is None and "title" in has else columns.title
    named = replace(
        columns,
        title=None if title is None else _column("title", title),
        text=[_column("text", field) for field in fields],
        image=None if columns.image is None else _column("image", columns.image),
    )
    return item_table(replace(frame_table(items, "items", named.names()), decimal=decimal), named)


def _names(columns: Any) -> list[str]:
    given = [columns] if isinstance(columns, str) else columns
    if not isinstance(given, list | tuple):
        raise InputError(f"item_columns: a list of names of columns is needed (got {columns!r:.80})")
    return [_column("item_columns", name) for name in given]


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


def _folder_of(images: Any) -> Path:
    if isinstance(images, str | os.PathLike):
        return Path(images)
    raise InputError(f"image= names files in a folder or an archive; name that with images= (got {images!r:.80})")


def _matrix(name: str, given: Any) -> Matrix:
    label = f"features '{name}'"
    if not isinstance(given, tuple):
        return Matrix(float32_matrix(given, label), label)
    if len(given) != 2:
        raise InputError(f"{label}: (ids, matrix) or a matrix is needed (got a tuple of {len(given)})")
    ids, values = given
    named = pl.Series("id", text_ids(ids, f"{label}: ids"), dtype=pl.String)
    return Matrix(float32_matrix(values, label), label, named)
