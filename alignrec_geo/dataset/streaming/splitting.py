"""The split of numbered interactions, drawn from the columns that its rule looks at alone, and the file with it."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alignrec_geo.dataset.interactions import Interactions, Split
from alignrec_geo.dataset.splits import SplitConfig, make_split
from alignrec_geo.dataset.streaming.merging import Numbered

ROWS = 1 << 20
"""Rows that are written at once."""
LOOKED_AT = {
    "given": (),
    "all-train": (),
    "random": ("user",),
    "leave-last": ("user", "timestamp"),
    "global-time": ("timestamp",),
    "cold-items": ("item",),
    "cold-users": ("user",),
}
"""Columns by rule."""


def write_split(numbered: Numbered, config: SplitConfig, target: Path) -> NDArray[np.int64]:
    """Write ``interactions.parquet`` with the split of every pair.

    Args:
        numbered: the pairs.
        config: the rule.
        target: the file.

    Returns:
        Pairs in each split, from :attr:`Split.UNUSED` on, ``[5]``.

    Raises:
        InputError: the rule needs timestamps and there are none.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    split = None if config.rule == "given" else _split(numbered, config)
    counts, done = np.zeros(len(Split), dtype=np.int64), 0
    with pq.ParquetFile(numbered.file) as file:
        names = file.schema_arrow.names
        names = ["user", "item", "split", *(name for name in names if name not in ("user", "item", "split"))]
        kinds = {name: pa.int8() if name == "split" else file.schema_arrow.field(name).type for name in names}
        schema = pa.schema(list(kinds.items()))
        with pq.ParquetWriter(target, schema, compression="zstd") as writer:
            for batch in _even(file.iter_batches(batch_size=ROWS)):
                columns = dict(zip(batch.schema.names, batch.columns, strict=True))
                if split is not None:
                    columns["split"] = pa.array(split[done : done + len(batch)])
                done += len(batch)
                counts += np.bincount(np.asarray(columns["split"]).astype(np.int64) + 1, minlength=len(Split))
                writer.write_table(pa.table([columns[name] for name in names], schema=schema), row_group_size=ROWS)
    return counts


def _even(batches: Iterable[Any]) -> Iterator[Any]:
    """The same rows, :data:`ROWS` at a time: the row groups depend on the threads that wrote them."""
    import pyarrow as pa

    waiting: list[Any] = []
    for batch in batches:
        waiting.append(batch)
        if sum(map(len, waiting)) >= ROWS:
            table = pa.Table.from_batches(waiting)
            yield table[:ROWS].combine_chunks()
            waiting = table[ROWS:].to_batches()
    if waiting:
        yield pa.Table.from_batches(waiting).combine_chunks()


def _split(numbered: Numbered, config: SplitConfig) -> NDArray[np.int8]:
    if config.rule == "all-train":
        return np.full(numbered.rows, Split.TRAIN, dtype=np.int8)
    import pyarrow.parquet as pq

    with pq.ParquetFile(numbered.file) as file:
        there = [name for name in LOOKED_AT[config.rule] if name in file.schema_arrow.names]
        kinds = {name: file.schema_arrow.field(name).type.to_pandas_dtype() for name in there}
        found: dict[str, NDArray[Any]] = {name: np.empty(numbered.rows, dtype=kind) for name, kind in kinds.items()}
        done = 0
        for batch in file.iter_batches(batch_size=ROWS, columns=there):
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                found[name][done : done + len(batch)] = np.asarray(column)
            done += len(batch)
    pairs = Interactions.of_columns(numbered.rows, len(numbered.users), numbered.items.height, found)
    return make_split(pairs, config)
