"""Cold items of a run on disk: ``cold.safetensors`` beside the tables that their vectors were made from."""

import json
from pathlib import Path

from safetensors.torch import save_file

from alignrec_geo.errors import InputError
from alignrec_geo.files import atomic_path, sha256_of
from alignrec_geo.reading import reading
from alignrec_geo.serving.cold import ColdItems
from alignrec_geo.tensors import read_tensors

COLD = "cold.safetensors"


def save_cold_items(file: Path, items: ColdItems, tables: Path) -> None:
    """Write the items, atomically, with the hash of the file of tables that they were made from."""
    header = {"ids": items.ids, "titles": items.titles, "tables": sha256_of(tables)}
    with atomic_path(file) as staging:
        # one key only: safetensors writes several in random order
        save_file({"vectors": items.vectors.contiguous()}, staging, {"cold": json.dumps(header, ensure_ascii=False)})


def load_cold_items(file: Path, tables: Path) -> ColdItems:
    """Read what :func:`save_cold_items` wrote.

    Args:
        file: the file.
        tables: the file of the run's tables, which it must have been made from.

    Raises:
        InputError: the file is missing, damaged, or was made from other tables.
    """
    if not file.exists():
        raise InputError(f"{file}: no vectors of cold items yet; make them with: alignrec-geo embed {tables.parent}")
    tensors, told = read_tensors(file, ("vectors",))
    with reading(file, "file of cold items"):
        header = json.loads(told["cold"])
        items = ColdItems(header["ids"], header["titles"], tensors["vectors"].float())
        made_from = header["tables"]
    _check(file, items)
    if made_from != sha256_of(tables):
        raise InputError(
            f"{file}: made from other tables than {tables}; make it again with: alignrec-geo embed {tables.parent}"
        )
    return items


def _check(file: Path, items: ColdItems) -> None:
    ids, titles, vectors = items.ids, items.titles, items.vectors
    texts = isinstance(ids, list) and all(isinstance(name, str) for name in ids)
    if not texts or not isinstance(titles, list) or not all(isinstance(title, str | None) for title in titles):
        raise InputError(f"{file}: not a file of cold items: its ids and titles must be lists of text")
    if len(set(ids)) < len(ids):
        raise InputError(f"{file}: not a file of cold items: it names an item twice")
    if vectors.dim() != 2 or not len(ids) == len(titles) == len(vectors):
        raise InputError(
            f"{file}: not a file of cold items: it has {len(ids)} ids, {len(titles)} titles and vectors of shape "
            f"{tuple(vectors.shape)}"
        )
    if not vectors.isfinite().all():
        raise InputError(f"{file}: holds NaN or infinity")
