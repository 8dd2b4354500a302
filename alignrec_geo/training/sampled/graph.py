"""The graph of a model in the form that subgraphs are sampled from."""

import torch
from torch_geometric.data import HeteroData

from alignrec_geo.graph.checks import INTERACTS
from alignrec_geo.graph.hetero import REVERSE, SIMILAR
from alignrec_geo.models.alignrec import AlignRec
from alignrec_geo.models.graph_model import GraphRecommender


def sampling_graph(model: GraphRecommender) -> HeteroData:
    """Return the training pairs in both directions and, with content, the edges between items.

    Args:
        model: one whose layers run on these edges.
    """
    data = HeteroData()
    data["user"].num_nodes, data["item"].num_nodes = model.n_users, model.n_items
    data[INTERACTS].edge_index, data[REVERSE].edge_index = model.pairs, model.pairs.flip(0)
    if model.pair_weight is not None:
        data[INTERACTS].edge_weight = data[REVERSE].edge_weight = model.pair_weight
    if isinstance(model, AlignRec) and model.features:
        edges, data[SIMILAR].edge_weight = model.item_graph.edges()
        data[SIMILAR].edge_index = torch.stack([*edges])
    return data
