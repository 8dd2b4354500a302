"""Cold items of a run on disk: ``cold.safetensors`` beside the tables that their vectors were made from."""

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from alignrec_geo.errors import InputError
from alignrec_geo.files import atomic_path, sha256_of
from alignrec_geo.serving.cold import ColdItems

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
    try:
        with safe_open(file, framework="pt") as stored:
            header = json.loads((stored.metadata() or {})["cold"])
            items = ColdItems(header["ids"], header["titles"], stored.get_tensor("vectors"))
            made_from = header["tables"]
    except (SafetensorError, KeyError, ValueError) as error:
        raise InputError(f"{file}: truncated or not a file of cold items ({error})") from None
    if made_from != sha256_of(tables):
        raise InputError(
            f"{file}: made from other tables than {tables}; make it again with: alignrec-geo embed {tables.parent}"
        )
    return items
