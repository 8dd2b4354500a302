"""One table from many files: a folder as Spark and DuckDB write it, a pattern such as ``clicks/*.parquet``, a list."""

import glob
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import polars as pl

from alignrec_geo.dataset.readers.delimited import TextLayout
from alignrec_geo.dataset.readers.rows import LeftOut, Table
from alignrec_geo.dataset.readers.table_files import read_table_file, table_format
from alignrec_geo.errors import InputError

PARTITION_NULL = "__HIVE_DEFAULT_PARTITION__"
"""What stands for a missing value in the name of a folder ``COLUMN=VALUE``."""

Source = Path | Sequence[Path]
"""A file, a folder of files, a pattern, or several of these."""


def read_table_set(source: Source, columns: Sequence[str] | None = None, layout: TextLayout | None = None) -> Table:
    """Read a table that may lie in several files, each by :func:`~.table_files.read_table_file`.

    A folder is read with its subfolders; files and folders whose name begins with ``_`` or ``.`` are passed over, and a
    folder ``COLUMN=VALUE`` is a column of the files in it. The files are read in the order of their names.

    Args:
        source: file, folder, pattern (``*``, ``?``, ``[…]``, ``**``), or several.
        columns: the columns wanted.
        layout: of text.

    Raises:
        InputError: there is no such file, files are of several formats, their columns are of several types, or one
            cannot be read.
    """
    files = table_set_files(source)
    if len(files) == 1 and not files[0][1]:
        return read_table_file(files[0][0], columns, layout)
    parts = []
    for path, named in files:
        inner = None if columns is None else [name for name in columns if name not in named]
        part = read_table_file(path, inner, layout)
        constant = [pl.lit(value, dtype=pl.String).alias(name) for name, value in named.items()]
        frame = part.frame.with_columns(constant)
        parts.append(replace(part, frame=frame if columns is None else frame.select(list(dict.fromkeys(columns)))))
    return _together(table_label(source), [path for path, _ in files], parts)


def table_set_files(source: Source) -> list[tuple[Path, dict[str, str | None]]]:
    """The files of a table, each with the columns that the folders it lies in name.

    Raises:
        InputError: there is none, or they are of several formats.
    """
    found: list[tuple[Path, dict[str, str | None]]] = []
    there: list[tuple[Path, dict[str, str | None]]]
    for path in [source] if isinstance(source, Path) else source:
        if path.is_dir():
            there = [(file, _partitions(file.relative_to(path))) for file in _inside(path)]
            if not there:
                raise InputError(f"{path}: no table in this folder")
        elif glob.has_magic(str(path)) and not path.exists():
            matched = sorted(Path(name) for name in glob.glob(str(path), recursive=True))
            there = [(file, {}) for file in matched if file.is_file()]
            if not there:
                raise InputError(f"{path}: no file matches")
        else:
            there = [(path, {})]
        found += there
    if len(found) > 1:
        formats = {table_format(path): path for path, _ in reversed(found)}
        if len(formats) > 1:
            kinds = ", ".join(f"{suffix or 'no suffix'} ({path})" for suffix, path in sorted(formats.items()))
            raise InputError(f"{table_label(source)}: files of one format are needed, there are: {kinds}")
    return found


def table_label(source: Source) -> str:
    """What errors and notes call a table.

    Example:
        >>> table_label(Path("clicks/*.csv")), table_label([Path("a.csv"), Path("b.csv")])
        ('clicks/*.csv', 'a.csv and 1 more')
    """
    if isinstance(source, Path):
        return str(source)
    more = f" and {len(source) - 1} more" if len(source) > 1 else ""
    return f"{source[0]}{more}"


def table_name(source: Source) -> str:
    """The name of a table: that of its file without suffixes, of its folder, or of the folder of a pattern.

    Example:
        >>> table_name(Path("shop/clicks.csv.gz")), table_name(Path("shop/clicks/*.parquet"))
        ('clicks', 'clicks')
    """
    first = source if isinstance(source, Path) else source[0]
    if glob.has_magic(first.name) and not first.exists():
        plain = [part for part in first.parent.parts if not glob.has_magic(part)]
        return Path(*plain).resolve().name
    if first.is_dir():
        return first.resolve().name
    stem = first.name.removesuffix(".gz")
    return stem.rsplit(".", 1)[0] or stem


def _inside(folder: Path) -> list[Path]:
    files: list[Path] = []
    for root, inner, names in os.walk(folder):
        inner[:] = sorted(name for name in inner if not name.startswith(("_", ".")))
        files += [Path(root, name) for name in names if not name.startswith(("_", "."))]
    return sorted(files)


def _partitions(inside: Path) -> dict[str, str | None]:
    named: dict[str, str | None] = {}
    for part in inside.parts[:-1]:
        name, equals, value = part.partition("=")
        if name and equals:
            named[unquote(name)] = None if value == PARTITION_NULL else unquote(value)
    return named


def common_schema(label: str, files: Sequence[Path], schemas: Sequence[pl.Schema]) -> pl.Schema:
    """The types of the columns of all files together.

    Raises:
        InputError: a column is in one file and not in another, or is of types that have none in common.
    """
    kinds: dict[str, tuple[pl.DataType, Path]] = {}
    for path, schema in zip(files, schemas, strict=True):
        if set(schema) != set(schemas[0]):
            odd = sorted(set(schema) ^ set(schemas[0]))[0]
            raise InputError(f"{label}: column '{odd}' is in one of {files[0]} and {path} and not in the other")
        for name, kind in schema.items():
            known, before = kinds.setdefault(name, (kind, path))
            if known == pl.Null:
                kinds[name] = kind, path
            elif kind not in (known, pl.Null) and not (kind.is_numeric() and known.is_numeric()):
                raise InputError(f"{label}: column '{name}' holds {known} in {before} and {kind} in {path}")
    order = list(schemas[0])
    empty = [pl.DataFrame(schema=schema).select(order) for schema in schemas]
    return pl.concat(empty, how="vertical_relaxed").schema


def of_file(left_out: LeftOut, number: int, name: str) -> LeftOut:
    """Rows of one of several files that could not be used, with the name of the file.

    Example:
        >>> of_file(LeftOut(1, ((0, 7, "line 7 has no id"),)), 2, "b.csv").first
        ((2, 7, 'line 7 of b.csv has no id'),)
    """
    named = ((number, at, text.replace(f"line {at}", f"line {at} of {name}", 1)) for _, at, text in left_out.first)
    return LeftOut(left_out.count, tuple(named))


def _together(label: str, files: Sequence[Path], parts: Sequence[Table]) -> Table:
    """The rows of all parts, each of which knows its file."""
    order = list(common_schema(label, files, [part.frame.schema for part in parts]))
    names, left_out = file_names(files), LeftOut()
    for number, part in enumerate(parts):
        left_out = left_out.and_also(of_file(part.left_out, number, names[number]))
    numbered = [part.numbered() for part in parts]
    return Table(
        pl.concat([part.frame.select(order) for part in parts], how="vertical_relaxed"),
        label,
        lines=np.concatenate([part.lines for part in numbered if part.lines is not None]),
        twice=list(dict.fromkeys(name for part in parts for name in part.twice)),
        nested=list(dict.fromkeys(name for part in parts for name in part.nested)),
        unit=numbered[0].unit,
        files=names,
        file_of=np.repeat(np.arange(len(parts)), [part.frame.height for part in parts]),
        notes=list(dict.fromkeys(note for part in parts for note in part.notes)),
        left_out=left_out,
        decimal=parts[0].decimal,
    )


def file_names(files: Sequence[Path]) -> list[str]:
    """The files as they are called in the folder that they have in common."""
    whole = [os.path.abspath(path) for path in files]
    folder = os.path.commonpath([os.path.dirname(path) for path in whole])
    return [os.path.relpath(path, folder) for path in whole]
