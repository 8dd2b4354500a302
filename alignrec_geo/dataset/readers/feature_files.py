"""Feature files of the items: which row belongs to which item, and which rows a data set keeps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alignrec_geo.dataset.build import features_by_id
from alignrec_geo.dataset.features import Features
from alignrec_geo.dataset.readers.delimited import TextLayout
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
        given: how the ids of a matrix's rows are given, for messages.
    """

    known: pl.Series
    listed: pl.Series | None = None
    columns: Sequence[str] = ()
    given: str = "with feature_ids="


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
    layout: TextLayout | None = None,
) -> Dataset:
    """Read feature files and put them on a data set, with notes on what was left out.

    Args:
        dataset: what they describe.
        items: the ids their rows may name.
        features: file of every matrix by name.
        feature_ids: file of the row ids by the same names, for matrices whose file names none.
        layout: encoding and decimal mark of text.

    Raises:
        InputError: a file cannot be used; see :func:`place_matrix`.
    """
    ids_of = dict(feature_ids or {})
    orphan = next((name for name in ids_of if name not in features), None)
    if orphan is not None:
        raise InputError(f"ids are given for features '{orphan}', and no matrix of that name")
    matrices = {}
    for name, path in features.items():
        matrix = read_matrix(path, items.columns, layout)
        if name in ids_of:
            if matrix.ids is not None:
                raise InputError(f"features '{name}': {path} names its items itself; feature_ids= is for matrices")
            matrix = replace(matrix, ids=read_ids(ids_of[name], items.columns, layout))
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

    Rows with ids go to their items; rows of others are left out, with a note. Without ids, row ``r`` belongs to the
    item whose id is the whole number ``r``; if ids are not whole numbers, to the ``r``-th item of the items file. An
    all-zero row counts as missing.

    Raises:
        InputError: the number of rows does not fit, no row belongs to an item, an id comes twice with different rows,
            or nothing says which row belongs to which item.
    """
    ids = row_ids(name, matrix, items) if matrix.ids is None else as_known(matrix.ids, dataset.items["id"])
    if len(ids) != len(matrix.values):
        raise InputError(f"features '{name}': {matrix.label} has {len(matrix.values)} rows and {len(ids)} ids")
    kept = ids.is_in(dataset.items["id"].to_list()).to_numpy()
    strangers = ids.filter(~kept)
    if not kept.any():
        raise InputError(
            f"features '{name}': no row of {matrix.label} belongs to an item of the data set; its ids are for example "
            f"{_examples(ids)}, item ids are for example {_examples(dataset.items['id'])}"
        )
    kept, notes = _once(name, matrix, ids, kept)
    meta = {"source": Path(matrix.label).name}
    values = matrix.values if kept.all() else matrix.values[kept]
    features = features_by_id(name, values, ids.filter(kept).to_list(), dataset, meta)
    empty = features.present & ~features.matrix.any(axis=1)
    if empty.any():
        named = _examples(dataset.items["id"].filter(empty))
        notes.append(
            f"features '{name}': {int(empty.sum())} rows are all zero, e.g. of {named}; these items count as without "
            f"'{name}'"
        )
        features = Features(name, features.matrix, features.present & ~empty, meta)
    have, n_items = int(features.present.sum()), len(features.present)
    if have < n_items or len(strangers):
        left = f"; {len(strangers)} rows belong to no item, e.g. {_examples(strangers)}" if len(strangers) else ""
        lacking = _examples(dataset.items["id"].filter(~features.present))
        lack = f"; not for example {lacking}" if have < n_items else ""
        notes.insert(0, f"features '{name}': {have} of {n_items} items have them{lack}{left}")
    return features, notes


def as_known(ids: pl.Series, known: pl.Series) -> pl.Series:
    """Ids as the data set spells them, where only blanks around them or a ``.0`` of whole numbers differ.

    Example:
        >>> as_known(pl.Series([" a", "7.0", "x"]), pl.Series(["a", "7"])).to_list()
        ['a', '7', 'x']
    """
    plain = ids.str.strip_chars()
    whole = plain.str.replace(r"^(-?[0-9]+)\.0$", "${1}")
    forms = pl.DataFrame({"own": ids, "plain": plain, "whole": whole})
    there = [pl.when(pl.col(form).is_in(known.to_list())).then(pl.col(form)) for form in forms.columns]
    return forms.select(pl.coalesce(*there, "own").alias("id")).to_series()


def _once(name: str, matrix: Matrix, ids: pl.Series, kept: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], list[str]]:
    """Keep the first of equal rows that one item has; unequal ones are refused."""
    first: dict[str, int] = {}
    kept, repeated = kept.copy(), []
    for row in np.flatnonzero(kept & ids.is_duplicated().to_numpy()).tolist():
        before = first.setdefault(ids[row], row)
        if before == row:
            continue
        if not np.array_equal(matrix.values[before], matrix.values[row]):
            raise InputError(
                f"features '{name}': {matrix.label} gives item '{ids[row]}' twice, with different values "
                f"(rows {before} and {row}, counted from 0)"
            )
        kept[row] = False
        repeated.append(ids[row])
    said = f"features '{name}': {len(repeated)} rows repeat an item with the same values, e.g. {_examples(repeated)}"
    return kept, [said] if repeated else []


def _examples(ids: Sequence[str] | pl.Series) -> str:
    return ", ".join(f"'{name}'" for name in list(ids[:3]))


def row_ids(name: str, matrix: Matrix, items: ItemIds) -> pl.Series:
    """Ids of the rows of a matrix that names none; see :func:`place_matrix`."""
    rows = len(matrix.values)
    hint = f"; if they are in another order, give the ids of its rows {items.given}"
    largest = largest_whole_number(items.known)
    if largest is not None:
        if rows != largest + 1:
            raise InputError(
                f"features '{name}': {matrix.label} has {rows} rows, {largest + 1} are needed: row r "
                f"belongs to item r and the largest item id is {largest}{hint}"
            )
        numbers = pl.Series("id", np.arange(rows)).cast(pl.String)
        if items.listed is not None and len(items.listed) == rows and not items.listed.equals(numbers):
            row = int((items.listed != numbers).arg_max() or 0)
            raise InputError(
                f"features '{name}': row {row} of {matrix.label} may belong to item {row}, by its number, or to item "
                f"{items.listed[row]}, which has that place in the items file; give the "
                f"ids of its rows {items.given}"
            )
        return numbers
    if items.listed is None:
        raise InputError(
            f"features '{name}': nothing says which row of {matrix.label} belongs to which item, because "
            f"item ids are not whole numbers from 0; give the ids of its rows {items.given}"
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
