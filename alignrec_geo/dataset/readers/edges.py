"""The edges of one type of a ``HeteroData`` as arrays, checked against the nodes they join."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from alignrec_geo.dataset.ids import text_ids
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.dataset.readers.arrays import checked_sparse, numbers_in
from alignrec_geo.errors import InputError
from alignrec_geo.reading import reading
from alignrec_geo.typing import Int64

EdgeType = tuple[str, str, str]
UNASKED = 100_000_000
"""Nodes of a type that any graph may have."""
SPARSEST = 100
"""Nodes for each edge from which on their numbers are taken for other ids."""
HELD_OUT = (Split.VALIDATION, Split.TEST)


def edge_indices(edges: Any, kind: EdgeType) -> dict[Split, Int64]:
    """Source and target of every edge by split, each ``[2, n]``; not yet checked against the nodes.

    Training edges are ``edge_index``, or ``adj_t`` where ``ToSparseTensor`` has replaced it; the held-out ones are
    ``validation_edge_label_index`` and ``test_edge_label_index``, if there.

    Raises:
        InputError: there is none, or one is no ``[2, n]`` of whole numbers.
    """
    if "edge_index" in edges:
        found = {Split.TRAIN: _index(edges["edge_index"], kind, "edge_index")}
    elif "adj_t" in edges:
        found = {Split.TRAIN: _of_adjacency(edges["adj_t"], kind)}
    else:
        raise InputError(f"edges {kind}: have no edge_index (got {', '.join(map(str, edges.keys())) or 'nothing'})")
    for part in HELD_OUT:
        stored = f"{part.label}_edge_label_index"
        if stored in edges:
            found[part] = _index(edges[stored], kind, stored)
    return found


def node_count(store: Any, kind: str, indices: Mapping[Split, Int64], end: int) -> int:
    """Number of nodes at one end of an edge type; where the graph does not say, as many as the edges need.

    Raises:
        InputError: ``num_nodes`` is no whole number from 0.
    """
    if "external_id" in store:
        return len(text_ids(store["external_id"], f"external_id of '{kind}'"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # PyG warns where it has to guess; the edges then say
        stated = store.num_nodes
    edges = sum(index.shape[1] for index in indices.values())
    if stated is None:
        stated = max((int(index[end].max()) + 1 for index in indices.values() if index.shape[1]), default=0)
    if isinstance(stated, bool) or not isinstance(stated, int | np.integer) or stated < 0:
        raise InputError(f"num_nodes of '{kind}' must be a whole number from 0 (got {stated!r:.80})")
    if stated > max(UNASKED, SPARSEST * edges):
        raise InputError(f"'{kind}' would have {stated} nodes for {edges} edges; number nodes from 0 without gaps")
    return int(stated)


def check_ends(indices: Mapping[Split, Int64], kind: EdgeType, counts: tuple[int, int]) -> None:
    """Refuse edges that name nodes that are not there.

    Raises:
        InputError: one does; the message names edge type, value and limit.
    """
    for split, index in indices.items():
        stored = "edge_index" if split == Split.TRAIN else f"{split.label}_edge_label_index"
        for end, name in ((0, kind[0]), (1, kind[2])):
            wrong = np.flatnonzero((index[end] < 0) | (index[end] >= counts[end]))
            if len(wrong):
                raise InputError(
                    f"edges {kind}: {stored}[{end}] names a node of '{name}' that is not there; numbers from 0 to "
                    f"{counts[end] - 1} are allowed (got {index[end][wrong[0]]} at position {wrong[0]})"
                )


def per_edge(values: Any, count: int, kind: EdgeType, name: str) -> Any:
    """An attribute with one value for each edge, ``[n]``.

    Raises:
        InputError: it has another shape.
    """
    array = numbers_in(values, f"edges {kind}: {name}")
    if array.shape == (count, 1):
        array = array[:, 0]
    if array.shape != (count,):
        raise InputError(f"edges {kind}: {name} has shape {array.shape}; one value for each of {count} edges is needed")
    return array


def _index(values: Any, kind: EdgeType, name: str) -> Int64:
    index = numbers_in(values, f"edges {kind}: {name}")
    if index.ndim != 2 or len(index) != 2 or (index.dtype.kind not in "iu" and index.size):
        raise InputError(
            f"edges {kind}: {name} must be whole numbers [2, edges], users above items "
            f"(got {index.dtype} {list(index.shape)})"
        )
    return index.astype(np.int64)


def _of_adjacency(adjacency: Any, kind: EdgeType) -> Int64:
    """Edges of ``adj_t`` ``[targets, sources]``, in its order, in which ``ToSparseTensor`` puts attributes too."""
    with reading(f"edges {kind}: adj_t", "sparse matrix"):
        if hasattr(adjacency, "coo"):  # torch_sparse
            target, source, _ = adjacency.coo()
        else:
            target, source = checked_sparse(adjacency.detach()).to_sparse_coo().coalesce().indices()
    ends = [numbers_in(part, f"edges {kind}: adj_t") for part in (source, target)]
    return np.stack(ends).astype(np.int64)
