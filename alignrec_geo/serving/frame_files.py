"""Frames written one after the other to one file: Parquet, delimited text or JSON lines."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import polars as pl

from alignrec_geo.errors import InputError
from alignrec_geo.files import atomic_path
from alignrec_geo.outputs import output_file
from alignrec_geo.reading import as_path

SEPARATORS = {".csv": ",", ".tsv": "\t"}
JSON_LINES = (".jsonl", ".ndjson")
PARQUET = (".parquet", ".pq")
GROUP = 1 << 18
"""Rows of a row group at least, but for the last one."""

Write = Callable[[pl.DataFrame], None]


def check_layout(path: Path, lists: bool = False) -> None:
    """Check that frames can be written to a file of this name.

    Raises:
        InputError: its ending is of no known format, or of one that has no lists.
    """
    suffix = path.suffix.lower()
    if suffix not in (*PARQUET, *SEPARATORS, *JSON_LINES):
        known = ", ".join((*PARQUET, *SEPARATORS, *JSON_LINES))
        raise InputError(f"{path}: unknown format '{suffix}' of a table to write; allowed are {known}")
    if lists and suffix in SEPARATORS:
        raise InputError(f"{path}: delimited text holds no lists; write .parquet or .jsonl, or one row per item")


def write_frame(frame: pl.DataFrame, path: str | os.PathLike[str], overwrite: bool = False) -> None:
    """Write one frame, all of it or nothing.

    Raises:
        InputError: an ending of no known format, a file that is there, or no file can be written there.
    """
    target = table_to_write(path, overwrite)
    with atomic_path(target) as staging, frame_writer(staging, target, frame.schema) as write:
        write(frame)


def table_to_write(
    path: str | os.PathLike[str],
    overwrite: bool,
    inputs: Iterable[str | os.PathLike[str] | None] = (),
    lists: bool = False,
) -> Path:
    """Check that a table can be written, and return where it will be.

    Raises:
        InputError: an ending of no known format or of one without lists, a file that is there, or an input.
    """
    target = output_file(as_path(path, "file"), inputs)
    check_layout(target, lists)
    if target.exists() and not overwrite:
        raise InputError(f"{path}: exists; pass overwrite=True to replace it")
    return target


@contextmanager
def frame_writer(path: Path, named: Path, schema: pl.Schema) -> Iterator[Write]:
    """Yield a function that appends a frame to a file.

    Args:
        path: the file; it is replaced.
        named: the name that says the format.
        schema: of every frame.
    """
    suffix = named.suffix.lower()
    if suffix in PARQUET:
        with _parquet(path, schema) as write:
            yield write
        return
    with path.open("wb") as stream:
        yield _json_lines(stream) if suffix in JSON_LINES else _delimited(stream, SEPARATORS[suffix], schema)


def _delimited(stream: IO[bytes], separator: str, schema: pl.Schema) -> Write:
    pl.DataFrame(schema=schema).write_csv(stream, separator=separator)
    return lambda frame: frame.write_csv(stream, separator=separator, include_header=False)


def _json_lines(stream: IO[bytes]) -> Write:
    return lambda frame: frame.write_ndjson(stream)


@contextmanager
def _parquet(path: Path, schema: pl.Schema) -> Iterator[Write]:
    """Plain types only, which every reader has: text as strings, lists as lists."""
    import pyarrow.parquet as pq

    waiting: list[pl.DataFrame] = []
    repeated = [name for name, kind in schema.items() if not (kind.is_float() or kind.is_nested())]
    options: dict[str, Any] = {"compression": "zstd", "use_dictionary": repeated, "store_schema": False}
    with pq.ParquetWriter(path, pl.DataFrame(schema=schema).to_arrow().schema, **options) as writer:

        def flush() -> None:
            if waiting:
                writer.write_table(pl.concat(waiting).to_arrow(), row_group_size=GROUP * 4)
                waiting.clear()

        def write(frame: pl.DataFrame) -> None:
            waiting.append(frame)
            if sum(part.height for part in waiting) >= GROUP:
                flush()

        yield write
        flush()
