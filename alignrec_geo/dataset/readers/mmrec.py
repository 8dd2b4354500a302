"""Folders as MMRec lays them out: ``NAME.inter`` with ``x_label``, ``X_feat.npy`` by item number."""

from pathlib import Path

import polars as pl

from alignrec_geo.dataset.build import Tables, build_dataset
from alignrec_geo.dataset.readers.columns import id_column, rating_column, split_column, weight_column
from alignrec_geo.dataset.readers.feature_files import ItemIds, with_matrices
from alignrec_geo.dataset.readers.matrices import Matrix, read_matrix
from alignrec_geo.dataset.readers.rows import Table, shown
from alignrec_geo.dataset.readers.table_files import TextLayout, open_bytes, read_delimited, read_table_file
from alignrec_geo.dataset.readers.times import time_column
from alignrec_geo.dataset.splits import SplitConfig
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError

LARGEST = 2**31 - 1
UNASKED = 10_000_000
"""Users or items that any file may have."""
SPARSEST = 100
"""Numbers for each row from which on they are taken for other ids."""


def read_mmrec(
    folder: Path,
    name: str | None = None,
    split: SplitConfig | None = None,
    default: SplitConfig | None = None,
) -> Dataset:
    """Read an MMRec folder.

    There are as many users and items as the largest number in the whole file says, so that every number keeps
    its place. Every ``X_feat.npy`` becomes the features ``X``. ``u_id_mapping.csv`` and ``i_id_mapping.csv``
    (external id, number), if there, give external ids; without them the numbers are the ids.

    Args:
        folder: holds exactly one ``*.inter`` or ``*.inter.gz`` with the columns ``userID``, ``itemID`` and
            ``x_label`` (0 train, 1 validation, 2 test); ``rating``, ``weight`` and ``timestamp`` are optional.
        name: of the data set; the name of the file if not given.
        split: a rule to use instead of ``x_label``.
        default: the rule where there is neither; random per user with seed 0 if not given.

    Raises:
        InputError: a file is missing or cannot be read, an id is no whole number, another value of
            ``x_label``, or a matrix whose number of rows is not the number of items.
    """
    table = read_table_file(_only_inter_file(folder))
    users, items = _numbers(table, "userID"), _numbers(table, "itemID")
    user_ids = _external_ids(folder / "u_id_mapping.csv", _count(table, "userID", users))
    item_ids = _external_ids(folder / "i_id_mapping.csv", _count(table, "itemID", items))
    columns = {"user": user_ids.gather(users), "item": item_ids.gather(items)}
    has = table.frame.columns
    if "x_label" in has and (split is None or split.rule == "given"):
        columns["split"] = split_column(table, "x_label")
        split = SplitConfig(rule="given")
    if "rating" in has:
        columns["rating"] = rating_column(table, "rating")
    if "weight" in has:
        columns["weight"] = weight_column(table, "weight")
    if "timestamp" in has:
        columns["timestamp"] = time_column(table, "timestamp")
    dataset = build_dataset(
        name or Path(table.label).name.split(".inter")[0],
        Tables(
            interactions=pl.DataFrame(columns),
            items=pl.DataFrame({"id": item_ids}),
            users=user_ids,
            keep_items=True,
        ),
        split or default or SplitConfig(),
        source={"format": "mmrec", "file": Path(table.label).name},
    )
    matrices = {
        file.name.removesuffix("_feat.npy"): _by_number(file, item_ids) for file in sorted(folder.glob("*_feat.npy"))
    }
    return with_matrices(dataset, ItemIds(known=item_ids), matrices)


def _only_inter_file(folder: Path) -> Path:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    found = sorted([*folder.glob("*.inter"), *folder.glob("*.inter.gz")])
    if len(found) != 1:
        names = ", ".join(file.name for file in found) or "none"
        raise InputError(f"{folder}: exactly one *.inter or *.inter.gz file is needed (found: {names})")
    return found[0]


def _numbers(table: Table, name: str) -> pl.Series:
    """Ids as whole numbers from 0."""
    ids = id_column(table, name)
    numbers = ids.str.strip_chars().cast(pl.Int64, strict=False)
    good = numbers.is_between(0, LARGEST).fill_null(False)
    if not good.all():
        row = int((~good).arg_max() or 0)
        raise InputError(
            f"{table.label}: {table.where(row)} holds {shown(ids[row])} in column '{name}'; MMRec ids are whole "
            "numbers from 0 (for other ids: data import table)"
        )
    return numbers


def _count(table: Table, name: str, numbers: pl.Series) -> int:
    """How many users or items there are: as many as the largest number says."""
    if not len(numbers):
        raise InputError("the interactions file has a header and no rows")
    count = int(numbers.to_numpy().max()) + 1
    if count > max(UNASKED, SPARSEST * len(numbers)):
        row = int(numbers.arg_max() or 0)
        raise InputError(
            f"{table.label}: {table.where(row)} holds '{count - 1}' in column '{name}', and the file only "
            f"{len(numbers)} rows; MMRec numbers users and items from 0 without gaps (for other ids: data import table)"
        )
    return count


def _by_number(file: Path, item_ids: pl.Series) -> Matrix:
    matrix = read_matrix(file)
    if len(matrix.values) != len(item_ids):
        raise InputError(
            f"{file}: has {len(matrix.values)} rows and the interactions {len(item_ids)} items "
            "(largest itemID + 1); row r belongs to item r, so the two must be equal"
        )
    return Matrix(matrix.values, matrix.label, item_ids)


def _external_ids(path: Path, count: int) -> pl.Series:
    """External id of every number below ``count``: from a mapping file, or the number itself."""
    if not path.exists():
        return pl.Series("id", range(count), dtype=pl.Int64).cast(pl.String)
    with open_bytes(path) as stream:
        content = stream.read()
    table = read_delimited(content, str(path), TextLayout())
    if table.frame.width != 2:
        raise InputError(f"{path}: has {table.frame.width} columns; two are needed, external id and number")
    external, number = table.frame.columns
    numbers = _numbers(table, number)
    mapping = pl.DataFrame({"number": numbers, "id": id_column(table, external)})
    if mapping["number"].n_unique() < mapping.height or mapping["id"].n_unique() < mapping.height:
        raise InputError(f"{path}: an id or a number comes twice; each must come once")
    ids = pl.DataFrame({"number": range(count)}).join(mapping, on="number", how="left", maintain_order="left")["id"]
    if ids.null_count():
        raise InputError(f"{path}: number {int(ids.is_null().arg_max() or 0)} of the interactions is not in it")
    return ids
