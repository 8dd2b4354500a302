"""A data set from a PyG ``HeteroData``."""

from collections.abc import Mapping
from copy import copy
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alignrec_geo.dataset.build import Tables, build_dataset
from alignrec_geo.dataset.features import Features
from alignrec_geo.dataset.ids import text_ids, whole_ids
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.dataset.readers.arrays import float32_matrix, numbers_in
from alignrec_geo.dataset.readers.columns import rating_column, split_column, weight_column
from alignrec_geo.dataset.readers.edges import EdgeType, check_ends, edge_indices, node_count, per_edge
from alignrec_geo.dataset.readers.rows import Table
from alignrec_geo.dataset.readers.times import time_column
from alignrec_geo.dataset.splits import SplitConfig, split_config
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.typing import Int64


def from_hetero(
    data: Any,
    *,
    edge_type: EdgeType | None = None,
    name: str = "hetero",
    features: Mapping[str, Any] | None = None,
    split: SplitConfig | str | None = None,
) -> Dataset:
    """Build a data set from a graph; :meth:`alignrec_geo.Dataset.from_hetero` says what the arguments are."""
    kind = _edge_type(data, edge_type)
    graph = copy(data)  # looking for a node type that is not there would make it
    edges, source, target = graph[kind], graph[kind[0]], graph[kind[2]]
    indices = edge_indices(edges, kind)
    counts = (node_count(source, kind[0], indices, 0), node_count(target, kind[2], indices, 1))
    check_ends(indices, kind, counts)
    user_ids = _external_ids(source, counts[0], kind[0])
    item_ids = _external_ids(target, counts[1], kind[2])
    frame, given, notes = _interactions(edges, kind, indices, user_ids, item_ids)
    rule = split_config(split, "split") or (SplitConfig(rule="given") if given else SplitConfig())
    ignored = [str(other) for other in data.edge_types if other != kind]
    if ignored:
        notes.append(f"edge types left out: {', '.join(ignored)}")
    made = _features(target, features, len(item_ids))
    dataset = build_dataset(
        str(name),
        Tables(
            interactions=frame,
            items=pl.DataFrame({"id": item_ids, **_texts(target, len(item_ids))}),
            users=user_ids,
            keep_items=True,
        ),
        rule,
        source={
            "format": "hetero",
            "edge_type": " ".join(kind),
            **whole_ids(_are_numbers(source), _are_numbers(target)),
        },
        notes=notes,
    )
    rows = dataset.item_rows(item_ids)
    return dataset.with_features(*(_by_row(feature, rows) for feature in made))


def _edge_type(data: Any, wanted: Any) -> EdgeType:
    if not (hasattr(data, "edge_types") and hasattr(data, "node_types")):
        raise InputError(f"a graph, PyG's HeteroData, is needed (got a {type(data).__name__})")
    known = [tuple(kind) for kind in data.edge_types]
    fitting = [kind for kind in known if kind[0] == "user" and kind[2] == "item"]
    if wanted is not None:
        fitting = [kind for kind in known if isinstance(wanted, list | tuple) and kind == tuple(wanted)]
    if len(fitting) != 1:
        asked = (
            "exactly one edge type from 'user' to 'item' is needed" if wanted is None else f"no edge type {wanted!r}"
        )
        raise InputError(f"{asked}; there are: {', '.join(map(str, known)) or 'none'}; choose with edge_type=")
    return fitting[0]


def _interactions(
    edges: Any, kind: EdgeType, indices: Mapping[Split, Int64], user_ids: pl.Series, item_ids: pl.Series
) -> tuple[pl.DataFrame, bool, list[str]]:
    """The edges as rows, whether their split is given, and notes."""
    index = np.concatenate(list(indices.values()), axis=1)
    columns = {"user": user_ids.gather(index[0]), "item": item_ids.gather(index[1])}
    notes = []
    for column, names, read in (
        ("timestamp", ("time", "timestamp"), time_column),
        ("rating", ("rating",), rating_column),
        ("weight", ("weight",), weight_column),
    ):
        values, said = _edge_values(edges, kind, indices, names)
        notes += said
        if values is not None:
            columns[column] = read(_table(values, column, kind), column)
    frame = pl.DataFrame(columns)
    if len(indices) > 1:
        labels = np.concatenate([np.full(part.shape[1], int(split)) for split, part in indices.items()])
        return frame.with_columns(pl.Series("split", labels).cast(pl.Int8)), True, notes
    if "split" not in edges:
        return frame, False, notes
    table = _table(per_edge(edges["split"], index.shape[1], kind, "split"), "split", kind)
    return frame.with_columns(split_column(table, "split")), True, notes


def _table(values: Any, column: str, kind: EdgeType) -> Table:
    return Table(pl.DataFrame({column: values}), f"edges {kind}")


def _edge_values(
    edges: Any, kind: EdgeType, indices: Mapping[Split, Int64], names: tuple[str, ...]
) -> tuple[Any, list[str]]:
    """An attribute of all interactions, ``None`` where only a part has it, and a note on that."""
    for name in names:
        stored = {split: name if split == Split.TRAIN else f"{split.label}_{name}" for split in indices}
        missing = [key for key in stored.values() if key not in edges]
        if not missing:
            parts = [per_edge(edges[key], indices[split].shape[1], kind, key) for split, key in stored.items()]
            return np.concatenate(parts), []
        if len(missing) < len(stored):
            return None, [f"edges {kind}: {name} was left out, because there is no {' and no '.join(missing)}"]
    return None, []


def _external_ids(store: Any, count: int, kind: str) -> pl.Series:
    if "external_id" not in store:
        return pl.Series("id", range(count), dtype=pl.Int64).cast(pl.String)
    ids = pl.Series("id", text_ids(store["external_id"], f"external_id of '{kind}'"), dtype=pl.String)
    if len(ids) != count or ids.n_unique() < count:
        raise InputError(
            f"external_id of '{kind}' needs {count} different ids (got {len(ids)}, {ids.n_unique()} of them different)"
        )
    return ids


def _are_numbers(store: Any) -> bool:
    """Whether a node type's ids are whole numbers: those that were given, else the numbers of the nodes."""
    ids = store.get("external_id", ())
    plain = ids.tolist() if hasattr(ids, "tolist") else ids
    return all(isinstance(one, int | np.integer) and not isinstance(one, bool) for one in plain)


def _texts(store: Any, count: int) -> dict[str, pl.Series]:
    found = {}
    for name in ("title", "text"):
        if name not in store:
            continue
        given = store[name]
        if isinstance(given, str) or not hasattr(given, "__len__"):
            raise InputError(f"'{name}' of the items needs a list of texts (got {given!r:.80})")
        if len(given) != count:
            raise InputError(f"'{name}' of the items has {len(given)} entries, there are {count} items")
        wrong = next(
            (place for place, text in enumerate(given) if text is not None and not isinstance(text, str)), None
        )
        if wrong is not None:
            raise InputError(f"'{name}' of item {wrong} is no text (got {given[wrong]!r:.80})")
        found[name] = pl.Series(name, list(given), dtype=pl.String)
    return found


def _features(store: Any, given: Any, count: int) -> list[Features]:
    """The matrices of the item nodes, in the order of the nodes."""
    if given is not None and not isinstance(given, Mapping):
        raise InputError(f"features: matrices by name are needed, {{'image': matrix}} for example (got {given!r:.80})")
    matrices = {"x": store["x"]} if "x" in store else {}
    matrices |= {key.removeprefix("x_"): store[key] for key in store.keys() if key.startswith("x_")}  # noqa: SIM118
    made = []
    for name, value in {**matrices, **(given or {})}.items():
        label = f"features '{name}'"
        values = float32_matrix(value, label)
        mask: NDArray[np.bool_] = np.asarray(values.any(axis=1), dtype=np.bool_)
        if f"has_{name}" in store:
            mask = numbers_in(store[f"has_{name}"], f"has_{name}").astype(np.bool_)
        if len(values) != count:
            raise InputError(f"{label} have {len(values)} rows, there are {count} items")
        if mask.shape != (count,):
            raise InputError(f"has_{name} of the items has shape {list(mask.shape)}, there are {count} items")
        made.append(Features(str(name), values, mask, {"source": "hetero"}))
    return made


def _by_row(features: Features, rows: Int64) -> Features:
    """The same features in the row order of a data set."""
    matrix, present = np.zeros_like(features.matrix), np.zeros_like(features.present)
    matrix[rows], present[rows] = features.matrix, features.present
    return Features(features.name, matrix, present, features.meta)
