"""An index in faiss's own format, with the ids beside it."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from alignrec_geo.exporting.parquet import write_users
from alignrec_geo.exporting.source import Source
from alignrec_geo.exporting.written import Written
from alignrec_geo.serving.index import ItemIndex, build_index
from alignrec_geo.serving.index.package import load_faiss

INDEX, IDS = "items.faiss", "items.parquet"
LARGE = 200_000
"""Above so many items, lists are searched; below, all items are."""
COMPARED = 10

USAGE = """
```python
import faiss
import numpy as np
import polars as pl

index = faiss.read_index("items.faiss")  # faiss.IO_FLAG_MMAP as a second argument maps a large one into memory
users, items = pl.read_parquet("users.parquet"), pl.read_parquet("items.parquet")
scores, rows = index.search(users["vector"][:1].to_numpy().astype(np.float32), 10)
print(users["id"][0], items[rows[0]]["id"].to_list())
```

Row `r` of the index is row `r` of `items.parquet`. faiss trusts the files that it reads: read only those whose
hash is the one in `manifest.json`, and whose sender you know.
"""


def write_faiss(source: Source, folder: Path, half: bool) -> Written:
    """Write an index by inner product: of all vectors up to :data:`LARGE` items, of lists above.

    Args:
        source: the run.
        folder: where to.
        half: vectors in half precision; lists always are.

    Raises:
        InputError: faiss is not installed.
    """
    faiss = load_faiss()
    written = Written(usage=USAGE)
    write_users(source, folder, False, written)
    source.item_table().write_parquet(folder / IDS)
    lists = len(source.items) > LARGE
    index = _lists(faiss, source) if lists else _flat(faiss, source, half)
    faiss.write_index(index, str(folder / INDEX))
    written.files[INDEX] = f"`{type(index).__name__}` by inner product"
    written.files[IDS] = "`id`, `title` and further columns of the items, by row"
    written.facts["index"] = {"kind": type(index).__name__, "metric": "inner product"}
    if lists:
        written.facts["index"] |= {"lists": index.nlist, "nprobe": index.nprobe}
    size = min(COMPARED, len(source.items))
    back = faiss.read_index(str(folder / INDEX))
    scores, rows = back.search(source.users[source.checked_users], size)
    written.confirm("best items", source.compared(scores, rows, size), not half and not lists)
    return written


def _flat(faiss: Any, source: Source, half: bool) -> Any:
    dim = source.items.shape[1]
    product = faiss.METRIC_INNER_PRODUCT
    index = faiss.IndexScalarQuantizer(dim, faiss.ScalarQuantizer.QT_fp16, product) if half else faiss.IndexFlatIP(dim)
    index.train(source.items)
    index.add(source.items)
    return index


def _lists(faiss: Any, source: Source) -> Any:
    """The index of :mod:`alignrec_geo.serving.index`, whose probes its recall chose, with its vectors inside."""
    top = source.top
    with tempfile.TemporaryDirectory() as scratch:
        built = build_index(
            Path(scratch) / "lists",
            torch.from_numpy(source.items),
            top.embeddings.users,
            np.flatnonzero(top.trained_users),
            top.seen,
        )
    return in_faiss(faiss, built.index, source.items)


def in_faiss(faiss: Any, index: ItemIndex, items: Any) -> Any:
    """An index with lists and probes of ours, as faiss writes it: with centres as its quantizer, vectors inside."""
    count, dim = index.centres.shape
    centres = faiss.IndexFlatIP(dim)
    centres.add(index.centres)
    half, product = faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    found = faiss.IndexIVFScalarQuantizer(centres, dim, count, half, product, False)
    found.by_residual, found.is_trained, found.nprobe = False, True, index.probes
    rows = np.arange(len(items))
    pointer = faiss.swig_ptr
    found.add_core(len(items), pointer(np.ascontiguousarray(items)), pointer(rows), pointer(index.list_of))
    centres.this.disown()
    found.own_fields = True
    return found
