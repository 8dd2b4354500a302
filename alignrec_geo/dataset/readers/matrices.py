"""Feature matrices from files: ``.npy``, ``.safetensors``, or a table with an item column."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alignrec_geo.dataset.ids import id_series
from alignrec_geo.dataset.readers.columns import id_column, numbers_of
from alignrec_geo.dataset.readers.table_files import Table, TextLayout, read_table_file
from alignrec_geo.dataset.readers.text_files import read_text_bytes
from alignrec_geo.errors import InputError
from alignrec_geo.reading import check_plain_file, reading
from alignrec_geo.tensors import as_array, read_tensors

BLOCK = 4096
OTHER_ARRAYS = (".npz", ".pt", ".pth", ".bin", ".pkl", ".pickle", ".h5", ".hdf5", ".mat", ".b")
"""Suffixes of files that hold arrays in ways that are not read here."""


@dataclass(frozen=True)
class Matrix:
    """A feature matrix as a file gives it.

    Args:
        values: ``[rows, D]`` float32, finite.
        label: the file.
        ids: item id of every row, ``None`` where the file names none.
    """

    values: NDArray[np.float32]
    label: str
    ids: pl.Series | None = None


def read_matrix(path: Path, item_columns: Sequence[str] = (), layout: TextLayout | None = None) -> Matrix:
    """Read a feature matrix.

    Args:
        path: ``.npy``, ``.safetensors`` (the tensor ``matrix``, or the only one), or a table with an item
            column and either number columns or one column of lists.
        item_columns: what the item column of a table may be called, the likeliest first.
        layout: encoding and decimal mark of a table in text.

    Raises:
        InputError: the file is missing, truncated, holds pickled objects or text, is no matrix, or a row
            holds NaN or infinity (the message names the row).
    """
    suffix = path.suffix.lower()
    if suffix not in (".npy", ".safetensors"):
        if suffix in OTHER_ARRAYS:
            raise InputError(f"{path}: a feature matrix is a .npy or .safetensors file, or a table (got '{suffix}')")
        with reading(path, "table"):
            return _from_table(read_table_file(path, layout=layout), item_columns)
    load = _load_npy if suffix == ".npy" else _load_safetensors
    check_plain_file(path, "feature file")
    with reading(path, f"{suffix} file"):
        return Matrix(as_float32(load(path), str(path)), str(path))


def as_float32(matrix: NDArray[np.generic], label: str) -> NDArray[np.float32]:
    """Check and convert a matrix of numbers, in blocks of rows (it may be mapped from disk).

    Raises:
        InputError: it holds no numbers, is no matrix, or a row holds NaN, infinity or what float32 cannot
            hold.
    """
    if matrix.dtype.kind not in "fiub":
        kind = "text" if matrix.dtype.kind in "USOT" else str(matrix.dtype)
        raise InputError(f"{label}: holds {kind}; a feature matrix holds numbers")
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise InputError(f"{label}: has shape {matrix.shape}; a matrix [items, width] is needed")
    values = np.empty(matrix.shape, dtype=np.float32)
    for start in range(0, len(matrix), BLOCK):
        block = values[start : start + BLOCK]
        with np.errstate(over="ignore", invalid="ignore"):
            block[:] = matrix[start : start + BLOCK]
        bad = np.flatnonzero(~np.isfinite(block).all(axis=1))
        if len(bad):
            raise InputError(
                f"{label}: row {start + bad[0]} (counted from 0) holds NaN, infinity or a number too large"
            )
    return values


def read_ids(path: Path, item_columns: Sequence[str] = (), layout: TextLayout | None = None) -> pl.Series:
    """Read the item ids of a matrix's rows: a text file with one id per line, or a table with an item column.

    Args:
        path: the file.
        item_columns: what the item column of a table may be called, the likeliest first.
        layout: the encoding.

    Raises:
        InputError: the file cannot be read, or a line is empty.
    """
    if path.suffix in (".txt", ".ids", ""):
        content = read_text_bytes(path, "utf-8" if layout is None else layout.encoding)
        lines = content.decode().replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")
        ids = [line.strip() for line in lines]
        if not all(ids):
            raise InputError(f"{path}: line {ids.index('') + 1} is empty; one item id per line is needed")
        return id_series(pl.Series("id", ids, dtype=pl.String), str(path))
    table = read_table_file(path, layout=layout)
    return id_column(table, _item_column(table, item_columns))


def _load_npy(path: Path) -> NDArray[np.generic]:
    """Map the array of a .npy file; nothing else is read as one (an .npz, a pickle), whatever it is called."""
    with path.open("rb") as stream:
        start = stream.read(len(np.lib.format.MAGIC_PREFIX))
    if start[:2] == b"PK":
        raise InputError(f"{path}: is a zip file (.npz?), not an array; save the matrix with numpy.save")
    if start != np.lib.format.MAGIC_PREFIX:
        raise InputError(f"{path}: not a readable .npy file: it does not start as one")
    try:
        # an impossible shape is refused by its size; how Python 2 wrote headers is nobody's concern here
        with np.errstate(over="ignore"), warnings.catch_warnings(action="ignore", category=UserWarning):
            return np.lib.format.open_memmap(path, mode="r")
    except ValueError as error:
        if "object" not in str(error).lower():
            raise
        raise InputError(f"{path}: holds Python objects; only plain numbers are read") from None


def _load_safetensors(path: Path) -> NDArray[np.generic]:
    tensors, _ = read_tensors(path)
    name = "matrix" if "matrix" in tensors else next(iter(tensors), "") if len(tensors) == 1 else None
    if name is None or not tensors:
        names = ", ".join(sorted(tensors)[:10]) or "none"
        raise InputError(f"{path}: holds the tensors {names}; one called 'matrix', or only one, is needed")
    return as_array(tensors[name])


def _item_column(table: Table, item_columns: Sequence[str]) -> str:
    found = [name for name in item_columns if name in table.frame.columns]
    return found[0] if found else item_columns[0] if item_columns else table.frame.columns[0]


def _from_table(table: Table, item_columns: Sequence[str]) -> Matrix:
    item = _item_column(table, item_columns)
    ids = id_column(table, item)
    columns = [table.frame[name] for name in table.frame.columns if name != item]
    if not columns:
        raise InputError(f"{table.label}: has no column beside '{item}'; numbers or lists are needed")
    if len(columns) == 1 and isinstance(columns[0].dtype, pl.List | pl.Array):
        return Matrix(as_float32(_lists(table, columns[0]), table.label), table.label, ids)
    numbers = [_numbers(table, column) for column in columns]
    matrix = pl.DataFrame(numbers).to_numpy()
    return Matrix(as_float32(matrix, table.label), table.label, ids)


def _lists(table: Table, column: pl.Series) -> NDArray[np.generic]:
    lists = column.cast(pl.List(column.dtype.inner)) if isinstance(column.dtype, pl.Array) else column
    width = lists.list.len()
    odd = width.ne_missing(width[0] or 0)
    if odd.any():
        row = int(odd.arg_max() or 0)
        raise InputError(
            f"{table.label}: {table.where(row)} has {width[row] or 0} values in '{column.name}', "
            f"the first row {width[0] or 0}; all must be equal"
        )
    flat = lists.explode()
    if not flat.dtype.is_numeric():
        raise InputError(f"{table.label}: column '{column.name}' holds text; a feature matrix holds numbers")
    return flat.cast(pl.Float64).to_numpy().reshape(len(column), -1)


def _numbers(table: Table, column: pl.Series) -> pl.Series:
    numbers = column.clear(len(column))
    if not column.dtype.is_nested():
        text = column.dtype == pl.String
        found = numbers_of(column, table.decimal) if text else column.cast(pl.Float64, strict=False)
        numbers = numbers if found is None else found
    bad = numbers.is_null()
    if bad.any():
        row = int(bad.arg_max() or 0)
        given = "nothing" if column[row] is None else f"'{column[row]}'"
        raise InputError(
            f"{table.label}: {table.where(row)} holds {given} in column '{column.name}'; numbers are needed"
        )
    return numbers
