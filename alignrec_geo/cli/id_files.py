"""Files of ids that verbs take: one id a line, or a column of a table."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from alignrec_geo.errors import InputError
from alignrec_geo.reading import check_plain_file, reading

if TYPE_CHECKING:
    import polars as pl

TABLES = (".parquet", ".pq", ".jsonl", ".ndjson", ".json")
DELIMITED = {".csv": ",", ".tsv": "\t"}


def read_ids(path: Path, column: str) -> "pl.Series":
    """Read ids from a file, in the type in which it has them.

    Args:
        path: a text file with one id a line; or Parquet, JSON lines, or CSV and TSV whose first line names ``column``.
        column: ``user`` or ``item``; a Parquet or JSON lines file with one column needs no such name.

    Raises:
        InputError: the file cannot be read, has no such column, or holds no ids.
    """
    import polars as pl

    suffix, kind = path.suffix.lower(), f"text file of {column} ids"
    check_plain_file(path, kind)
    if suffix in TABLES:
        return _column(path, column)
    with reading(path, kind):
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    if (
        suffix in DELIMITED
        and lines
        and column in [name.strip().strip('"') for name in lines[0].split(DELIMITED[suffix])]
    ):
        return _column(path, column)
    ids = [line.strip() for line in lines if line.strip()]
    if not ids:
        raise InputError(f"{path}: holds no ids")
    return pl.Series(column, ids, dtype=pl.String)


def read_pairs(path: Path, columns: Sequence[str]) -> "pl.DataFrame":
    """Read the columns of a table of users and items.

    Raises:
        InputError: the file cannot be read, or a column is not there.
    """
    from alignrec_geo.dataset.readers.table_files import read_table_file

    return read_table_file(path, columns).frame


def _column(path: Path, column: str) -> "pl.Series":
    from alignrec_geo.dataset.readers.table_files import read_table_file

    table = read_table_file(path)
    if column not in table.frame.columns and table.frame.width == 1:
        return table.frame.to_series().alias(column)
    return table.column(column)
