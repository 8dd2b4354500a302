"""Parquet files as polars frames, through pyarrow: polars' own reader panics on damaged files and prints that."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from alignrec_geo.errors import InputError
from alignrec_geo.limits import limit, over_limit
from alignrec_geo.reading import check_plain_file, reading

KIND = "parquet file"
CELL = 8
"""Bytes of a cell in memory, roughly."""
UNASKED = 64 << 20
"""Bytes in memory below which no ratio is asked."""
_ABSENT_LISTS = "Expected all lists to be of size"
"""How pyarrow below 26 says that it cannot read lists of a fixed size of which some are absent; polars can."""


def parquet_columns(path: Path) -> list[str]:
    """Names of the columns of the top level, from the end of the file.

    Raises:
        InputError: it is no readable Parquet file, or two columns have one name.
    """
    import pyarrow.parquet as pq

    with reading(check_plain_file(path, KIND), KIND), pq.ParquetFile(path) as file:
        names = list(file.schema_arrow.names)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{path}: two columns are called '{twice}'; column names must differ")
    return names


def read_parquet(path: Path, columns: Iterable[str] | None = None) -> pl.DataFrame:
    """Read a Parquet file.

    Types are those that polars gives; UUIDs become text, other extension types what they are stored as.

    Args:
        path: the file.
        columns: columns of the top level, those that are not there are left out; ``None`` takes all.

    Raises:
        InputError: it is missing, damaged or truncated, holds far more than its size allows, or a column is of a type
            that frames do not have.
    """
    names = parquet_columns(path)
    wanted = set(names if columns is None else columns)
    return _read(path, [name for name in names if name in wanted])


def parquet_schema(path: Path) -> pl.Schema:
    """Names and types of the columns of the top level, in the file's order, as :func:`read_parquet` gives them, without
    reading rows.

    Raises:
        InputError: see :func:`read_parquet`.
    """
    import pyarrow.parquet as pq

    parquet_columns(path)
    with reading(path, KIND), pq.ParquetFile(path, coerce_int96_timestamp_unit="us") as file:
        empty = file.schema_arrow.empty_table()
    return _frame(empty, path, [name for name in empty.column_names if _fits_or_extension(empty.schema, name)]).schema


def parquet_batches(path: Path, columns: Iterable[str], rows: int) -> Iterator[pl.DataFrame]:
    """Read columns of a Parquet file, at most ``rows`` rows at a time; see :func:`read_parquet`.

    Raises:
        InputError: see :func:`read_parquet`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    wanted = set(columns)
    names = [name for name in parquet_columns(path) if name in wanted]
    with reading(path, KIND), pq.ParquetFile(path, coerce_int96_timestamp_unit="us") as file:
        _check_size(path, file.metadata.num_rows, len(names))
        for batch in file.iter_batches(batch_size=rows, columns=names):
            table = pa.Table.from_batches([batch])
            table.validate(full=True)
            yield _frame(table, path, names)


def _frame(table: Any, path: Path, names: Iterable[str]) -> pl.DataFrame:
    import pyarrow as pa

    plain = {name: _plain(table.column(name), f"{path}: column '{name}'") for name in names}
    return pl.DataFrame(pl.from_arrow(pa.table(plain))) if plain else pl.DataFrame()


def _fits_or_extension(schema: Any, name: str) -> bool:
    import pyarrow as pa

    kind = schema.field(name).type
    return isinstance(kind, pa.BaseExtensionType) or _fits(kind)


def _read(path: Path, names: list[str]) -> pl.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with reading(path, KIND), pq.ParquetFile(path, coerce_int96_timestamp_unit="us") as file:
        _check_size(path, file.metadata.num_rows, len(names))
        schema, apart = file.schema_arrow, list[str]()
        try:
            table = file.read(columns=names)
        except pa.ArrowInvalid as error:
            if _ABSENT_LISTS not in str(error):
                raise
            apart = [name for name in names if _has_fixed_size(schema.field(name).type)]
            table = file.read(columns=[name for name in names if name not in apart])
        table.validate(full=True)  # strings that are not UTF-8, offsets beyond the end
        frame = _frame(table, path, table.column_names)
        if apart:
            lists = pl.read_parquet(path, columns=apart, hive_partitioning=False)
            frame = frame.hstack(lists) if frame.width else lists
        return frame.select(names)


def _check_size(path: Path, rows: int, columns: int) -> None:
    """Runs of one value take no room in the file: a kilobyte can stand for billions of rows."""
    unpacked = rows * columns * CELL
    if unpacked > UNASKED and unpacked > limit("unpacked_ratio") * path.stat().st_size:
        raise over_limit(path, f"holds {rows} rows in {path.stat().st_size} bytes", "unpacked_ratio")


def _plain(column: Any, label: str) -> Any:
    """A column in a type that polars takes.

    Raises:
        InputError: there is none.
    """
    import pyarrow as pa

    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        if kind.extension_name == "arrow.uuid":
            return pa.array([None if value is None else str(value) for value in column.to_pylist()], pa.large_string())
        storage = [chunk.storage for chunk in column.chunks]
        column = pa.chunked_array(storage, kind.storage_type)
    if not _fits(column.type):
        raise InputError(f"{label} holds {column.type}, a type that is not read")
    return column


def _has_fixed_size(kind: Any) -> bool:
    """Whether a type is, or holds, lists of a fixed size."""
    from pyarrow import types

    inside = (kind.field(place).type for place in range(kind.num_fields))
    return types.is_fixed_size_list(kind) or any(map(_has_fixed_size, inside))


def _fits(kind: Any) -> bool:
    """Whether polars has a type for one of Arrow's; for others it raises or panics."""
    from pyarrow import types

    if types.is_dictionary(kind):
        return _fits(kind.value_type)
    if types.is_struct(kind) or types.is_map(kind):
        fields = [kind.field(place) for place in range(kind.num_fields)]
        return all(field.name is not None and _fits(field.type) for field in fields)  # names decode here, likewise
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _fits(kind.value_type)
    if types.is_decimal(kind):
        return not types.is_decimal256(kind)
    if types.is_timestamp(kind):
        return kind.tz is None or kind.tz.isascii()  # reading a name that is not UTF-8 raises; polars panics on it
    plain = (types.is_null, types.is_boolean, types.is_integer, types.is_floating, types.is_string, types.is_binary)
    large = (types.is_large_string, types.is_large_binary, types.is_fixed_size_binary, types.is_string_view)
    timed = (types.is_binary_view, types.is_date, types.is_time, types.is_duration)
    return any(fits(kind) for fits in (*plain, *large, *timed))
