"""A model on a part of its graph, with the parameters that it has."""

import copy
from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.typing import EdgeType

from alignrec_geo.errors import InputError
from alignrec_geo.graph.checks import INTERACTS, check_graph, edges_of, name_of
from alignrec_geo.graph.hetero import REVERSE, SIMILAR, find_edge_type
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.gather import gather_rows
from alignrec_geo.kernels.ranges import check_rows
from alignrec_geo.models.alignrec import AlignRec
from alignrec_geo.models.alignrec_config import AlignRecConfig
from alignrec_geo.models.lightgcn import LightGCN, LightGCNConfig
from alignrec_geo.nn.hetero_encoder import HeteroEncoder

SampledModel = AlignRec | LightGCN
"""The models that can be trained on sampled subgraphs."""
Sampled = TypeVar("Sampled", bound=SampledModel)


def on_subgraph(model: Sampled, part: HeteroData, tables: Mapping[str, Tensor] | None = None) -> Sampled:
    """Return the model as it is on a sampled subgraph: same layers, fusion, losses and parameters.

    It reads the rows of the subgraph's nodes only, and its gradients reach the parameters of ``model``. Node numbers
    are the subgraph's. What the sampled edges lead to is right; nodes of the last hop have rows that no edge reached.

    Args:
        model: the model of the whole graph.
        part: a subgraph of :class:`~alignrec_geo.training.subgraphs.SubgraphSampler`, on the model's device.
        tables: the rows of the subgraph's nodes in ``user_embedding``, ``item_embedding`` or ``content``, where they
            have been read already.

    Raises:
        InputError: the subgraph has fewer hops than the model has layers one after the other, lacks an edge type, or is
            of another origin.
    """
    check_graph(part, "on_subgraph")
    if "hops" not in part:
        raise InputError(
            "on_subgraph takes what SubgraphSampler yields: a subgraph with weights and its number of hops"
        )
    check_hops(hops_of(model.config, bool(model.features)), part.hops)
    users, items = _nodes(part, "user", model.n_users), _nodes(part, "item", model.n_items)
    wanted = {"user_embedding": users, "item_embedding": items}
    if isinstance(model, AlignRec) and model.features:
        wanted["content"] = items
    local: dict[str, Any] = {"n_users": len(users), "n_items": len(items), **(tables or {})}
    local |= {name: gather_rows(getattr(model, name), rows) for name, rows in wanted.items() if name not in local}
    local |= _graphs(model, part, items)
    restricted = copy.copy(model)
    vars(restricted).update(local)  # found before the registered parameters, which stay whole
    return restricted


def _graphs(model: SampledModel, part: HeteroData, items: Tensor) -> dict[str, Any]:
    """What a model has besides the tables of users and items, on a subgraph."""
    device = model.user_embedding.device
    local: dict[str, Any] = {}
    if isinstance(model, AlignRec) and isinstance(model.user_item, HeteroEncoder):
        local["relations"] = {edge_type: _matrix(part, edge_type, device) for edge_type in model.relations}
        local["tables"] = {
            kind: gather_rows(table, _nodes(part, kind, len(table))) for kind, table in model.tables.items()
        }
    else:
        local["user_item_graph"] = _both_directions(part, device)
    if isinstance(model, AlignRec) and model.features:
        for name in ("present", "anchor", "anchor_scale"):
            whole = getattr(model, name)
            local[name] = None if whole is None else whole[items]
        local["item_to_user"], local["item_graph"] = _matrix(part, REVERSE, device), _matrix(part, SIMILAR, device)
    return local


def hops_of(config: AlignRecConfig | LightGCNConfig, content: bool) -> int:
    """How many hops the layers of a model reach, if each goes one step."""
    if content and isinstance(config, AlignRecConfig):
        return max(config.layers, config.item_layers + 1)  # the item layers, then from items to users
    return config.layers


def check_hops(depth: int, hops: int) -> None:
    """Refuse subgraphs that a model's layers look beyond.

    Raises:
        InputError: they do.
    """
    if hops < depth:
        raise InputError(f"the model's layers reach {depth} hops far; give num_neighbors for each (got {hops})")


def _nodes(part: HeteroData, kind: str, count: int) -> Tensor:
    """The whole graph's numbers of a subgraph's nodes."""
    if kind not in part.node_types or "n_id" not in part[kind]:
        raise InputError(f"the subgraph does not say which nodes of type '{kind}' it has (n_id)")
    numbers: Tensor = part[kind].n_id
    check_rows(numbers, count, kind)
    return numbers


def _matrix(part: HeteroData, edge_type: EdgeType, device: torch.device) -> CSR:
    source, target, weight, shape = _edges(part, edge_type, device)
    return CSR.from_edge_index(torch.stack([source, target]), weight, (shape[1], shape[0]))


def _both_directions(part: HeteroData, device: torch.device) -> CSR:
    """Interactions in both directions on users and items together, users first. Unlike the whole graph it need not be
    symmetric: an edge is there in the directions in which it was drawn."""
    user, to_item, to_items, (n_items, n_users) = _edges(part, INTERACTS, device)
    item, to_user, to_users, _ = _edges(part, REVERSE, device)
    target, source = torch.cat([to_item + n_users, to_user]), torch.cat([user, item + n_users])
    size = n_users + n_items
    return CSR.from_edge_index(torch.stack([source, target]), torch.cat([to_items, to_users]), (size, size))


def _edges(
    part: HeteroData, edge_type: EdgeType, device: torch.device
) -> tuple[Tensor, Tensor, Tensor, tuple[int, int]]:
    source, target, weight, shape = edges_of(part, find_edge_type(part, edge_type), device)
    if weight is None:
        raise InputError(f"edge type '{name_of(edge_type)}' of the subgraph has no edge_weight")
    return source, target, weight, shape
