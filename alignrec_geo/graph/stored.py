"""The graph of a large data set on disk: made once, then mapped into memory and shared by every process that trains."""

import hashlib
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from alignrec_geo.dataset.manifest import GRAPHS, MANIFEST
from alignrec_geo.errors import InputError
from alignrec_geo.files import atomic_path, inside
from alignrec_geo.kernels.compressed import Compressed
from alignrec_geo.kernels.counting_sort import blocks
from alignrec_geo.kernels.ranges import outlier
from alignrec_geo.staging import sweep_inside
from alignrec_geo.tensors import read_tensors

STORED_FROM = 1_000_000
"""Training pairs from which a graph is stored: a smaller one is made in less than a second."""
KEPT = 3
"""Graphs that a data set folder keeps, the newest: of other splits, or with the validation pairs."""


def graph_key(user: Tensor, item: Tensor, n_users: int, n_items: int, weight: Tensor | None) -> str:
    """The name of a graph: the SHA-256 of all that it is made of."""
    digest = hashlib.sha256(f"graph-1 users={n_users} items={n_items}".encode())
    for tensor in (user, item) if weight is None else (user, item, weight):
        _add(digest, tensor)
    return digest.hexdigest()


def stored_graph(folder: Path, key: str, n_nodes: int, edges: int) -> Compressed | None:
    """Map the graph of a data set folder into memory; ``None`` if there is none, or a damaged one.

    Its bytes must have the hash that was stored with them, and every number must be one that the graph can have:
    products read memory by them.

    Args:
        folder: the data set folder.
        key: see :func:`graph_key`.
        n_nodes: users and items together.
        edges: training pairs.
    """
    try:
        file = _file(folder, key)
        if not file.is_file():
            return None
        parts, header = read_tensors(file, Compressed._fields)
    except (InputError, OSError, ValueError):
        return None
    graph = Compressed(**{name: parts[name] for name in Compressed._fields})
    return graph if header.get("sha256") == _digest(graph) and _is_sound(graph, n_nodes, edges) else None


def store_graph(folder: Path, key: str, graph: Compressed) -> bool:
    """Put a graph into a data set folder, whole or not at all; return whether it is there.

    A folder that cannot be written stays as it is: a graph that is not stored costs time only.
    """
    try:
        file = _file(folder, key)
        if not (folder / MANIFEST).is_file():
            return False
        file.parent.mkdir(exist_ok=True)
        sweep_inside(file.parent)  # of processes that were killed
        others = sorted(file.parent.glob("*.safetensors"), key=lambda path: path.stat().st_mtime_ns)
        for old in others[: max(0, len(others) - KEPT + 1)]:
            old.unlink()  # who has it mapped keeps it
        parts = {name: part for name, part in graph._asdict().items() if part is not None}
        with atomic_path(file) as staging:
            save_file(parts, staging, {"sha256": _digest(graph)})
    except (OSError, InputError, ValueError, SafetensorError):
        return False
    return True


def _file(folder: Path, key: str) -> Path:
    return inside(folder, f"{GRAPHS}/{key}.safetensors")


def _digest(graph: Compressed) -> str:
    digest = hashlib.sha256()
    for part in graph:
        if part is not None:
            digest.update(f"{part.dtype} {len(part)};".encode())
            _add(digest, part)
    return digest.hexdigest()


def _add(digest: "hashlib._Hash", tensor: Tensor) -> None:
    for part in blocks(len(tensor)):  # a block at a time: nothing is copied where it lies in one piece
        digest.update(tensor[part].detach().cpu().contiguous().numpy().data)


def _is_sound(graph: Compressed, n_nodes: int, edges: int) -> bool:
    crow, col, value = graph
    return (
        value is not None
        and (crow.dtype, col.dtype, value.dtype) == (torch.long, torch.int32, torch.float32)
        and crow.shape == (n_nodes + 1,)
        and col.shape == value.shape == (2 * edges,)
        and int(crow[0]) == 0
        and int(crow[-1]) == len(col)
        and bool((crow[1:] >= crow[:-1]).all())
        and outlier(col, n_nodes) is None
        and all(bool(torch.isfinite(value[part]).all()) for part in blocks(len(value)))
    )
