"""A data set from a PyG ``HeteroData``."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alignrec_geo.dataset.build import Tables, build_dataset
from alignrec_geo.dataset.features import Features
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.dataset.readers.columns import id_column, split_column
from alignrec_geo.dataset.readers.matrices import as_float32
from alignrec_geo.dataset.readers.tables import Table
from alignrec_geo.dataset.splits import SplitConfig
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError

EdgeType = tuple[str, str, str]
HELD_OUT = (Split.VALIDATION, Split.TEST)
EDGE_COLUMNS: dict[str, type[pl.DataType]] = {"timestamp": pl.Int64, "rating": pl.Float32}


def from_hetero(
    data: Any,
    *,
    edge_type: EdgeType | None = None,
    name: str = "hetero",
    features: Mapping[str, Any] | None = None,
    split: SplitConfig | None = None,
) -> Dataset:
    """Build a data set from a PyG ``HeteroData`` graph.

    Edges are interactions. Which are held out is taken from ``validation_edge_label_index`` and
    ``test_edge_label_index`` (``[2, n]``) of the edge type, else from its ``split`` (0, 1, 2 per edge), else
    ``split`` makes it. ``time`` or ``timestamp`` and ``rating`` per edge are kept where all interactions have
    them. Of the item nodes, ``x`` becomes the features ``x``, ``x_NAME`` the features ``NAME`` with
    ``has_NAME`` as the mask; ``external_id``, ``title`` and ``text`` are lists. All nodes are kept.

    Args:
        data: the graph.
        edge_type: the interactions; the only edge type from ``user`` to ``item`` if not given.
        name: what tables call the data set.
        features: further matrices of the item nodes by name.
        split: a rule to use in place of the stored split; random per user if there is none.

    Raises:
        InputError: no such edge type, or an attribute of a wrong length.
    """
    kind = _edge_type(data, edge_type)
    edges, source, target = data[kind], data[kind[0]], data[kind[2]]
    user_ids = _external_ids(source, _count(data, kind, 0), kind[0])
    item_ids = _external_ids(target, _count(data, kind, 1), kind[2])
    frame, given = _interactions(edges, user_ids, item_ids)
    if split is None:
        split = SplitConfig(rule="given") if given else SplitConfig()
    ignored = [str(other) for other in data.edge_types if other != kind]
    items = pl.DataFrame({"id": item_ids, **_texts(target, len(item_ids))})
    dataset = build_dataset(
        name,
        Tables(interactions=frame, items=items, users=user_ids, keep_items=True),
        split,
        source={"format": "hetero", "edge_type": " ".join(kind)},
        notes=[f"edge types left out: {', '.join(ignored)}"] if ignored else [],
    )
    rows = dataset.item_rows(item_ids.to_list())
    return dataset.with_features(*_features(target, dict(features or {}), rows))


def _edge_type(data: Any, wanted: EdgeType | None) -> EdgeType:
    known = [tuple(kind) for kind in getattr(data, "edge_types", ())]
    fitting = [kind for kind in known if kind[0] == "user" and kind[2] == "item"]
    if wanted is not None:
        fitting = [kind for kind in known if kind == tuple(wanted)]
    if len(fitting) != 1:
        asked = "exactly one edge type from 'user' to 'item' is needed" if wanted is None else f"no edge type {wanted}"
        raise InputError(f"{asked}; there are: {', '.join(map(str, known)) or 'none'}; choose with edge_type=")
    return fitting[0]


def _count(data: Any, kind: EdgeType, end: int) -> int:
    """Number of nodes at one end of an edge type; where the graph does not say, as many as the edges need."""
    store = data[kind[0] if end == 0 else kind[2]]
    if "external_id" in store:
        return len(store["external_id"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # PyG warns where it has to guess; the edges then say
        stated = store.num_nodes
    if stated is not None:
        return int(stated)
    indices = [index for index in _indices(data[kind]).values() if index.shape[1]]
    return max((int(index[end].max()) + 1 for index in indices), default=0)


def _indices(edges: Any) -> dict[Split, Any]:
    found = {Split.TRAIN: edges.edge_index.cpu().numpy()}
    for part in HELD_OUT:
        stored = f"{part.label}_edge_label_index"
        if stored in edges:
            found[part] = edges[stored].cpu().numpy()
    return found


def _interactions(edges: Any, user_ids: pl.Series, item_ids: pl.Series) -> tuple[pl.DataFrame, bool]:
    """The edges as rows, and whether their split is given."""
    indices = _indices(edges)
    index = np.concatenate(list(indices.values()), axis=1)
    for end, ids, kind in ((0, user_ids, "source"), (1, item_ids, "target")):
        if index.size and (index[end].min() < 0 or index[end].max() >= len(ids)):
            raise InputError(f"edges name {kind} node {index[end].max()}, there are {len(ids)} nodes")
    frame = pl.DataFrame({"user": user_ids.gather(index[0]), "item": item_ids.gather(index[1])})
    for column, names in (("timestamp", ("time", "timestamp")), ("rating", ("rating",))):
        values = _edge_values(edges, indices, names)
        if values is not None:
            frame = frame.with_columns(pl.Series(column, values).cast(EDGE_COLUMNS[column]))
    if len(indices) > 1:
        labels = np.concatenate([np.full(part.shape[1], int(split)) for split, part in indices.items()])
        return frame.with_columns(pl.Series("split", labels).cast(pl.Int8)), True
    if "split" not in edges:
        return frame, False
    table = Table(pl.DataFrame({"split": _per_edge(edges["split"], index.shape[1], "split")}), "edges")
    return frame.with_columns(split_column(table, "split")), True


def _edge_values(edges: Any, indices: Mapping[Split, Any], names: tuple[str, ...]) -> Any:
    """An attribute of all interactions, ``None`` where only a part has it."""
    for name in names:
        stored = {split: name if split == Split.TRAIN else f"{split.label}_{name}" for split in indices}
        if all(key in edges for key in stored.values()):
            parts = [_per_edge(edges[key], indices[split].shape[1], key) for split, key in stored.items()]
            return np.concatenate(parts)
    return None


def _per_edge(values: Any, count: int, name: str) -> Any:
    array = np.asarray(values.cpu() if hasattr(values, "cpu") else values)
    if array.shape != (count,):
        raise InputError(
            f"edge attribute '{name}' has shape {array.shape}; one value for each of {count} edges is needed"
        )
    return array


def _external_ids(store: Any, count: int, kind: str) -> pl.Series:
    if "external_id" not in store:
        return pl.Series("id", range(count), dtype=pl.Int64).cast(pl.String)
    ids = id_column(Table(pl.DataFrame({"id": list(store["external_id"])}), f"external_id of '{kind}'"), "id")
    if len(ids) != count or ids.n_unique() < count:
        raise InputError(
            f"external_id of '{kind}' needs {count} different ids (got {len(ids)}, {ids.n_unique()} of them different)"
        )
    return ids


def _texts(store: Any, count: int) -> dict[str, pl.Series]:
    found = {name: pl.Series(name, list(store[name]), dtype=pl.String) for name in ("title", "text") if name in store}
    for name, values in found.items():
        if len(values) != count:
            raise InputError(f"'{name}' of the items has {len(values)} entries, there are {count} items")
    return found


def _features(store: Any, given: dict[str, Any], rows: Any) -> list[Features]:
    matrices = {"x": store["x"]} if "x" in store else {}
    matrices |= {key.removeprefix("x_"): store[key] for key in store.keys() if key.startswith("x_")}  # noqa: SIM118
    made = []
    for name, value in (matrices | given).items():
        label = f"features '{name}'"
        values = as_float32(np.asarray(value.detach().cpu() if hasattr(value, "detach") else value), label)
        mask: NDArray[np.bool_] = np.asarray(values.any(axis=1), dtype=np.bool_)
        if f"has_{name}" in store:
            mask = store[f"has_{name}"].cpu().numpy().astype(np.bool_)
        if len(values) != len(rows) or len(mask) != len(rows):
            raise InputError(f"{label} have {len(values)} rows, there are {len(rows)} items")
        matrix, present = np.zeros_like(values), np.zeros(len(rows), dtype=np.bool_)
        matrix[rows], present[rows] = values, mask
        made.append(Features(name, matrix, present, {"source": "hetero"}))
    return made
