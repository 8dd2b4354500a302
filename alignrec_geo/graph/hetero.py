"""From a data set to PyG's ``HeteroData``, the public form of the graph."""

from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.typing import EdgeType

from alignrec_geo.dataset.interactions import Interactions, Split
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.graph import stored as stored_graphs
from alignrec_geo.graph.adjacency import normalised_weight
from alignrec_geo.graph.checks import INTERACTS, edges_of
from alignrec_geo.graph.item_knn import item_knn
from alignrec_geo.graph.modalities import Scaling, feature_list, item_content
from alignrec_geo.kernels.csr import CSR

REVERSE = ("item", "rev_interacts", "user")
SIMILAR = ("item", "similar", "item")
GRAPH_FOLDER = "graph_folder"
"""Where the graph of a large data set says which folder keeps what is made of it."""


def to_hetero(
    dataset: Dataset,
    features: Sequence[str] | None = None,
    k: int | None = 10,
    scaling: Scaling = "auto",
    cache: bool = True,
) -> HeteroData:
    """Return the graph of a data set.

    Node types ``user`` and ``item``. Edge types ``("user", "interacts", "item")`` with the training pairs only, its
    reverse ``("item", "rev_interacts", "user")``, and, with features, ``("item", "similar", "item")`` with
    ``edge_weight`` (see :func:`alignrec_geo.graph.item_knn.item_knn`). The other splits are
    ``validation_edge_label_index`` and ``test_edge_label_index`` of the first edge type. Pairs with weights carry them
    as ``weight``, and normalised (:func:`~alignrec_geo.graph.adjacency.normalised_weight`) as ``edge_weight``. Item
    nodes carry ``x_NAME`` and ``has_NAME`` per feature matrix; both node types carry their ids as ``external_id``.

    Args:
        dataset: an open data set.
        features: which feature matrices; ``None`` takes all, an empty list none.
        k: content neighbours per item, itself included; ``None`` leaves out the edges between items.
        scaling: how several matrices are put together (see :func:`alignrec_geo.graph.modalities.item_content`).
        cache: keep the item graph on disk, and of 1,000,000 training pairs or more let models keep the normalised
            graph in the data set folder (:mod:`alignrec_geo.graph.stored`).

    Raises:
        InputError: the data set lacks a feature, or an argument is none of those above.

    Example:
        >>> from alignrec_geo.dataset import make_catalogue
        >>> graph = to_hetero(make_catalogue(n_users=60, n_items=40, image_size=16), cache=False)
        >>> graph.edge_types[0]
        ('user', 'interacts', 'item')
    """
    if not isinstance(dataset, Dataset):
        raise InputError(f"to_hetero takes a Dataset (got a {type(dataset).__name__})")
    chosen = feature_list(features)
    names = dataset.feature_names if chosen is None else chosen
    if k is not None and (isinstance(k, bool) or not isinstance(k, int) or k < 1):
        raise InputError(f"k, the content neighbours per item, must be a whole number of at least 1 (got {k!r})")
    if scaling not in get_args(Scaling):
        raise InputError(f"unknown scaling; allowed: {', '.join(get_args(Scaling))} (got {scaling!r})")
    pairs = dataset.interactions
    data = HeteroData()
    data["user"].num_nodes, data["item"].num_nodes = pairs.n_users, pairs.n_items
    data["user"].external_id = dataset.users["id"].to_list()
    data["item"].external_id = dataset.items["id"].to_list()
    train = _edges(dataset, Split.TRAIN)
    data[INTERACTS].edge_index, data[REVERSE].edge_index = train, train.flip(0)
    if cache and dataset.path is not None and train.shape[1] >= stored_graphs.STORED_FROM:
        data[GRAPH_FOLDER] = str(dataset.path)
    for split in (Split.VALIDATION, Split.TEST):
        data[INTERACTS][f"{split.label}_edge_label_index"] = _edges(dataset, split)
    if pairs.weight is not None:
        _put_weights(data, pairs)
    for name in names:
        stored = dataset.features(name)
        data["item"][f"x_{name}"] = torch.from_numpy(stored.matrix)
        data["item"][f"has_{name}"] = torch.from_numpy(stored.present)
    if names and k is not None:
        x, present = item_content(data, names, scaling)
        data[SIMILAR].edge_index, data[SIMILAR].edge_weight = item_knn(x, present, k, cache)
    return data


def find_edge_type(data: HeteroData, name: EdgeType | str) -> EdgeType:
    """Return the edge type that a triple, or its text ``source__relation__target``, names.

    Raises:
        InputError: the graph has no such edge type; says which it has.

    Example:
        >>> data = HeteroData()
        >>> data["item", "in", "category"].edge_index = torch.tensor([[0], [0]])
        >>> find_edge_type(data, "item__in__category")
        ('item', 'in', 'category')
    """
    given: Any = name
    if not isinstance(given, str) and not (isinstance(given, tuple) and all(isinstance(part, str) for part in given)):
        raise InputError(
            f"an edge type is (source, relation, target) or 'source__relation__target' (got {given!r:.80})"
        )
    wanted = given if isinstance(given, str) else "__".join(given)
    known: dict[str, EdgeType] = {"__".join(edge_type): edge_type for edge_type in data.edge_types}
    if wanted not in known:
        raise InputError(f"the graph has no edge type '{wanted}'; there are: {', '.join(known) or 'none'}")
    return known[wanted]


def relation_graph(data: HeteroData, edge_type: EdgeType) -> CSR:
    r"""Return the weights of an edge type as a matrix whose rows are the targets, ``[T, S]``.

    Weights are the edges' ``edge_weight``; without one, symmetrically normalised: :math:`1 / \sqrt{d_s d_t}`, with
    degrees in this edge type. Edges given twice are added.

    Args:
        data: the graph.
        edge_type: source, relation, target.

    Raises:
        InputError: the edges are not as :func:`~alignrec_geo.graph.checks.edges_of` wants them.
    """
    source, target, weight, shape = edges_of(data, edge_type)
    if weight is None:
        out, into = torch.bincount(source, minlength=shape[1]), torch.bincount(target, minlength=shape[0])
        weight = (out[source].double() * into[target].double()).rsqrt().float()
    return CSR.from_edge_index(torch.stack([source, target]), weight, (shape[1], shape[0]))


def _put_weights(data: HeteroData, pairs: Interactions) -> None:
    """Weights of the pairs of every split, and what the graph of the training pairs makes of them."""
    for split, name in ((Split.TRAIN, "weight"), (Split.VALIDATION, "validation_weight"), (Split.TEST, "test_weight")):
        data[INTERACTS][name] = torch.from_numpy(np.asarray(pairs.of(split).weight))
    train = data[INTERACTS]
    weight = normalised_weight(train.edge_index, pairs.n_users, pairs.n_items, train.weight)
    data[INTERACTS].edge_weight = data[REVERSE].edge_weight = weight


def _edges(dataset: Dataset, split: Split) -> Tensor:
    pairs = dataset.interactions.of(split)
    return torch.stack([torch.from_numpy(pairs.user), torch.from_numpy(pairs.item)])
