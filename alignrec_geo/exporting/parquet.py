"""Tables with vectors as Parquet: for databases with vector columns, and for everything that reads Parquet."""

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alignrec_geo.errors import InputError
from alignrec_geo.exporting.source import Source
from alignrec_geo.exporting.written import Written

USERS, ITEMS, TOP = "users.parquet", "items.parquet", "recommendations.parquet"
COMPARED = 10

USAGE = """
```python
import numpy as np
import polars as pl

users, items = pl.read_parquet("users.parquet"), pl.read_parquet("items.parquet")
scores = users["vector"].to_numpy() @ items["vector"].to_numpy().T  # [users, items]; in blocks where they are many
best = np.argsort(-scores[0])[:10]
print(users["id"][0], items[best]["id"].to_list())
```

`vector` is a list of fixed size. Any reader of Parquet takes it: DuckDB, Spark, pandas; pgvector and
Qdrant through a few lines of Python.
"""


def with_vectors(table: pl.DataFrame, vectors: NDArray[np.float32], half: bool) -> pl.DataFrame:
    """A table with a column ``vector``, lists of a fixed size."""
    numbers = halves(vectors) if half else vectors
    kind = pl.Array(pl.Float16 if half else pl.Float32, vectors.shape[1])
    return table.with_columns(pl.Series("vector", numbers, dtype=kind))


def halves(vectors: NDArray[np.float32]) -> NDArray[np.float16]:
    """Vectors in half precision.

    Raises:
        InputError: a number is too large for it.
    """
    with np.errstate(over="ignore"):
        found = vectors.astype(np.float16)
    if not np.isfinite(found).all():
        raise InputError(f"float16 holds numbers up to 65,504; the tables go up to {np.abs(vectors).max():.0f}")
    return found


def write_users(source: Source, folder: Path, half: bool, written: Written) -> None:
    """Write ``users.parquet``: ids, whether trained, vectors."""
    with_vectors(source.user_table(), source.users, half).write_parquet(folder / USERS)
    written.files[USERS] = "`id`, `trained` (whether the user has a training interaction), `vector`"


def write_parquet(source: Source, folder: Path, k: int | None, half: bool) -> Written:
    """Write users and items with their vectors, and with ``k`` the best items of every user.

    Args:
        source: the run.
        folder: where to.
        k: items per user, what they have seen left out; ``None`` for none.
        half: vectors in half precision.
    """
    written = Written(usage=USAGE, facts={"vectors": "float16" if half else "float32"})
    write_users(source, folder, half, written)
    with_vectors(source.item_table(), source.items, half).write_parquet(folder / ITEMS)
    written.files[ITEMS] = "`id`, `title`, further columns of the items, `trained`, `vector`"
    back = [pl.read_parquet(folder / name)["vector"].to_numpy().astype(np.float32) for name in (USERS, ITEMS)]
    if not half and not all(np.array_equal(*pair) for pair in zip(back, (source.users, source.items), strict=True)):
        raise InputError("export: the vectors of the Parquet files are not those of the run when they are read back")
    size = min(COMPARED, len(source.items))
    products = back[0][source.checked_users] @ back[1].T
    rows = np.argsort(-products, axis=1, kind="stable")[:, :size]
    written.confirm("best items", source.compared(np.take_along_axis(products, rows, axis=1), rows, size), not half)
    if k is not None:
        count = source.top.recommend_all(k=k, include_cold=source.include_cold).write(folder / TOP)
        written.files[TOP] = f"`user`, `rank`, `item`, `title`, `score`: everybody's best {k}, seen items left out"
        written.facts["recommendations"] = {"k": k, "rows": count}
    return written
