"""AlignRec on a part of its graph, with the parameters that it has."""

import copy
from typing import Any

import torch
from torch_geometric.data import HeteroData
from torch_geometric.typing import EdgeType

from alignrec_geo.errors import InputError
from alignrec_geo.graph.hetero import INTERACTS, REVERSE, SIMILAR, find_edge_type
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.gather import gather_rows
from alignrec_geo.models.alignrec import AlignRec
from alignrec_geo.nn.hetero_encoder import HeteroEncoder


def on_subgraph(model: AlignRec, part: HeteroData) -> AlignRec:
    """Return the model as it is on a sampled subgraph: same layers, fusion, losses and parameters.

    It reads the rows of the subgraph's nodes only, and its gradients reach the parameters of ``model``. Node numbers
    are the subgraph's. What the sampled edges lead to is right; nodes of the last hop have rows that no edge reached.

    Args:
        model: the model of the whole graph.
        part: a subgraph of :class:`~alignrec_geo.training.subgraphs.SubgraphSampler`, on the model's device.

    Raises:
        InputError: the subgraph has fewer hops than the model has layers one after the other, lacks an edge type, or is
            of another origin.
    """
    if "hops" not in part:
        raise InputError(
            "on_subgraph takes what SubgraphSampler yields: a subgraph with weights and its number of hops"
        )
    depth = model.config.layers
    if model.features:
        depth = max(depth, model.config.item_layers + 1)  # the item layers, then from items to users
    if part.hops < depth:
        raise InputError(f"the model's layers reach {depth} hops far; give num_neighbors for each (got {part.hops})")
    users, items = part["user"].n_id, part["item"].n_id
    local: dict[str, Any] = {
        "n_users": len(users),
        "n_items": len(items),
        "user_embedding": gather_rows(model.user_embedding, users),
        "item_embedding": gather_rows(model.item_embedding, items),
    }
    if isinstance(model.user_item, HeteroEncoder):
        local["relations"] = {edge_type: _matrix(part, edge_type) for edge_type in model.relations}
        local["tables"] = {kind: gather_rows(table, part[kind].n_id) for kind, table in model.tables.items()}
    else:
        local["user_item_graph"] = _both_directions(part)
    if model.features:
        local["content"] = gather_rows(model.content, items)
        for name in ("present", "anchor", "anchor_scale"):
            whole = getattr(model, name)
            local[name] = None if whole is None else whole[items]
        local["item_to_user"], local["item_graph"] = _matrix(part, REVERSE), _matrix(part, SIMILAR)
    restricted = copy.copy(model)
    vars(restricted).update(local)  # found before the registered parameters, which stay whole
    return restricted


def _matrix(part: HeteroData, edge_type: EdgeType) -> CSR:
    store = part[find_edge_type(part, edge_type)]
    source, target = store.edge_index
    shape = int(part[edge_type[2]].num_nodes), int(part[edge_type[0]].num_nodes)
    return CSR.from_coo(target, source, store.edge_weight, shape)


def _both_directions(part: HeteroData) -> CSR:
    """Interactions in both directions on users and items together, users first. Unlike the whole graph it need not be
    symmetric: an edge is there in the directions in which it was drawn."""
    n_users, n_items = int(part["user"].num_nodes), int(part["item"].num_nodes)
    (user, to_item), (item, to_user) = part[INTERACTS].edge_index, part[REVERSE].edge_index
    target, source = torch.cat([to_item + n_users, to_user]), torch.cat([user, item + n_users])
    weight = torch.cat([part[INTERACTS].edge_weight, part[REVERSE].edge_weight])
    return CSR.from_coo(target, source, weight, (n_users + n_items, n_users + n_items))
