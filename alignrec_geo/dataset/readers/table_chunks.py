"""One table from one or many files of any size, some rows at a time: Parquet and delimited text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from alignrec_geo.dataset.readers.delimited import TextLayout
from alignrec_geo.dataset.readers.delimited_chunks import CHUNK, delimited_chunks
from alignrec_geo.dataset.readers.rows import Table
from alignrec_geo.dataset.readers.table_files import JSON_LINES, PARQUET, SEPARATORS, only, struct_field, table_format
from alignrec_geo.dataset.readers.table_sets import (
    Source,
    common_schema,
    file_names,
    of_file,
    table_label,
    table_set_files,
)
from alignrec_geo.dataset.readers.text_files import open_bytes
from alignrec_geo.errors import InputError
from alignrec_geo.parquet import parquet_batches, parquet_schema

ROWS = 1 << 20
"""Rows of Parquet that are read at once."""


@dataclass(frozen=True)
class ChunkedTable:
    """A table that is read some rows at a time, as often as it is iterated over.

    Args:
        source: file, folder, pattern, or several; see :func:`~.table_sets.read_table_set`.
        columns: the columns wanted.
        layout: of text.
        rows: of Parquet that are read at once.
        size: bytes of text that are read at once.
    """

    source: Source
    columns: Sequence[str]
    layout: TextLayout
    rows: int = ROWS
    size: int = CHUNK

    @property
    def label(self) -> str:
        """What errors and notes call it."""
        return table_label(self.source)

    def __iter__(self) -> Iterator[Table]:
        """Its rows in order; each part knows their numbers in their files.

        Raises:
            InputError: as :func:`~.table_sets.read_table_set`, and for JSON lines.
        """
        files = table_set_files(self.source)
        if table_format(files[0][0]) in JSON_LINES:
            raise InputError(
                f"{files[0][0]}: JSON lines are not read in parts, as memory= would have it; convert them to Parquet "
                "or CSV, or import them without it"
            )
        alone = len(files) == 1 and not files[0][1]
        paths = [path for path, _ in files]
        names = file_names(paths)
        schema = self._schema(paths, [named for _, named in files])
        for number, (path, named) in enumerate(files):
            inner = [name for name in self.columns if name not in named]
            constant = [pl.lit(value, dtype=pl.String).alias(name) for name, value in named.items()]
            for part in self._parts(path, inner):
                frame = part.frame.with_columns(constant).select(pl.col(name).cast(schema[name]) for name in schema)
                if alone:
                    yield replace(part, frame=frame)
                    continue
                left_out = of_file(part.left_out, number, names[number])
                file_of = np.full(frame.height, number)
                yield replace(part, frame=frame, label=self.label, files=names, file_of=file_of, left_out=left_out)

    def _schema(self, paths: Sequence[Path], named: Sequence[dict[str, str | None]]) -> pl.Schema:
        """The types of the columns, known from the ends of the files."""
        wanted = list(dict.fromkeys(self.columns))
        if table_format(paths[0]) not in PARQUET:
            return pl.Schema(dict.fromkeys(wanted, pl.String))
        schemas = []
        for path, constant in zip(paths, named, strict=True):
            schema = parquet_schema(path)
            empty = pl.DataFrame(schema=schema)
            fields = {name: struct_field(name, schema) for name in wanted if name not in constant}
            there = empty.select(field.alias(name) for name, field in fields.items() if field is not None)
            missing = next((name for name, field in fields.items() if field is None), None)
            if missing is not None:
                Table(empty, str(path)).column(missing)  # raises, and lists those there are
            own = {name: pl.String() if name in constant else there.schema[name] for name in wanted}
            schemas.append(pl.Schema(own))
        return common_schema(self.label, paths, schemas)

    def _parts(self, path: Path, columns: Sequence[str]) -> Iterator[Table]:
        suffix = table_format(path)
        if suffix not in PARQUET:
            with open_bytes(path) as stream:
                for table in delimited_chunks(stream, str(path), self.layout, SEPARATORS.get(suffix), self.size):
                    yield only(table, columns, text=True)
            return
        schema, before = parquet_schema(path), 0
        roots = {name if name in schema else name.split(".")[0] for name in columns}
        for frame in parquet_batches(path, roots, self.rows):
            fields = {name: struct_field(name, frame.schema) for name in columns}
            chosen = frame.select(field.alias(name) for name, field in fields.items() if field is not None)
            lines = np.arange(before + 1, before + frame.height + 1, dtype=np.int64)
            before += frame.height
            yield Table(chosen, str(path), lines, unit="row", decimal=self.layout.mark)
