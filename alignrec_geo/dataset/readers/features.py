"""Feature files of the items: which row belongs to which item, and which rows a data set keeps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from alignrec_geo.dataset.build import features_by_id
from alignrec_geo.dataset.features import Features
from alignrec_geo.dataset.readers.matrices import Matrix, read_ids, read_matrix
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError


@dataclass(frozen=True)
class ItemIds:
    """The items a feature row may belong to.

    Args:
        known: every id the source names, before filters, unique.
        listed: ids in the order of an items file, for matrices without ids; ``None`` without such a file.
        columns: what the item column of a table may be called.
    """

    known: pl.Series
    listed: pl.Series | None = None
    columns: Sequence[str] = ()


def parse_named_files(options: Sequence[str], flag: str) -> dict[str, Path]:
    """Parse ``NAME=FILE`` options.

    Raises:
        InputError: one is not of that form, or a name is given twice.

    Example:
        >>> parse_named_files(["image=a.npy"], "--feature")
        {'image': PosixPath('a.npy')}
    """
    files: dict[str, Path] = {}
    for option in options:
        name, equals, file = option.partition("=")
        if not (name and equals and file):
            raise InputError(f"{flag} takes NAME=FILE (got '{option}')")
        if name in files:
            raise InputError(f"{flag} gives '{name}' twice")
        files[name] = Path(file)
    return files


def add_feature_files(
    dataset: Dataset,
    items: ItemIds,
    features: Mapping[str, Path],
    feature_ids: Mapping[str, Path] | None = None,
) -> Dataset:
    """Read feature files and put them on a data set, with notes on what was left out.

    Args:
        dataset: what they describe.
        items: the ids their rows may name.
        features: file of every matrix by name.
        feature_ids: file of the row ids by the same names, for matrices whose file names none.

    Raises:
        InputError: a file cannot be used; see :func:`place_matrix`.
    """
    ids_of = dict(feature_ids or {})
    orphan = next((name for name in ids_of if name not in features), None)
    if orphan is not None:
        raise InputError(f"ids are given for features '{orphan}', which are not; name the matrix with --feature")
    matrices = {}
    for name, path in features.items():
        matrix = read_matrix(path, items.columns)
        if name in ids_of:
            matrix = replace(matrix, ids=read_ids(ids_of[name], items.columns))
        matrices[name] = matrix
    return with_matrices(dataset, items, matrices)


def with_matrices(dataset: Dataset, items: ItemIds, matrices: Mapping[str, Matrix]) -> Dataset:
    """Put matrices on a data set, with notes on what was left out; see :func:`place_matrix`."""
    placed, notes = [], list(dataset.notes)
    for name, matrix in matrices.items():
        made, said = place_matrix(name, matrix, dataset, items)
        placed.append(made)
        notes += said
    return replace(dataset, notes=notes).with_features(*placed)


def place_matrix(name: str, matrix: Matrix, dataset: Dataset, items: ItemIds) -> tuple[Features, list[str]]:
    """Bring a matrix into the row order of a data set.

    Rows with ids go to their items. Without ids, row ``r`` belongs to the item whose id is the whole number
    ``r``; if ids are not whole numbers, to the ``r``-th item of the items file. An all-zero row counts as
    missing.

    Raises:
        InputError: the number of rows does not fit, an id belongs to no item or comes twice, or nothing says
            which row belongs to which item.
    """
    ids = row_ids(name, matrix, items) if matrix.ids is None else matrix.ids
    if len(ids) != len(matrix.values):
        raise InputError(f"features '{name}': {matrix.label} has {len(matrix.values)} rows and {len(ids)} ids")
    if matrix.ids is not None:
        unknown = ids.filter(~ids.is_in(items.known.implode()))
        if len(unknown):
            raise InputError(
                f"features '{name}': {matrix.label} names item '{unknown[0]}', which no item of the "
                f"data set has ({len(unknown)} such ids)"
            )
    kept = ids.is_in(dataset.items["id"].implode()).to_numpy()
    meta = {"source": Path(matrix.label).name}
    values = matrix.values if kept.all() else matrix.values[kept]
    features = features_by_id(name, values, ids.filter(kept).to_list(), dataset, meta)
    notes = []
    if not kept.all():
        notes.append(f"features '{name}': {int((~kept).sum())} rows belong to no item of this data set")
    empty = features.present & ~features.matrix.any(axis=1)
    if empty.any():
        notes.append(f"features '{name}': {int(empty.sum())} rows are all zero; these items count as without '{name}'")
        features = Features(name, features.matrix, features.present & ~empty, meta)
    return features, notes


def row_ids(name: str, matrix: Matrix, items: ItemIds) -> pl.Series:
    """Ids of the rows of a matrix that names none; see :func:`place_matrix`."""
    rows = len(matrix.values)
    hint = f"; if its rows are in another order, give their ids with --feature-ids {name}=FILE"
    largest = largest_whole_number(items.known)
    if largest is not None:
        if rows != largest + 1:
            raise InputError(
                f"features '{name}': {matrix.label} has {rows} rows, {largest + 1} are needed: row r "
                f"belongs to item r and the largest item id is {largest}{hint}"
            )
        return pl.Series("id", np.arange(rows)).cast(pl.String)
    if items.listed is None:
        raise InputError(
            f"features '{name}': nothing says which row of {matrix.label} belongs to which item, because "
            f"item ids are not whole numbers from 0; give the ids of its rows with --feature-ids {name}=FILE"
        )
    if rows != len(items.listed):
        raise InputError(
            f"features '{name}': {matrix.label} has {rows} rows and the items file {len(items.listed)}{hint}"
        )
    return items.listed


def largest_whole_number(ids: pl.Series) -> int | None:
    """The largest id if every id is a whole number from 0, else ``None``.

    Example:
        >>> import polars as pl
        >>> largest_whole_number(pl.Series(["0", "12"])), largest_whole_number(pl.Series(["0", "07"]))
        (12, None)
    """
    plain = ids.str.contains(r"^(0|[1-9][0-9]{0,17})$").all()
    return int(ids.cast(pl.Int64).to_numpy().max()) if plain and len(ids) else None
