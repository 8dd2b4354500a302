"""The reference implementations' numbers on a toy data set (plain numbers, see tests/golden/README.md)."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch_geometric.data import HeteroData

from alignrec_geo.dataset import Interactions
from alignrec_geo.graph.hetero import INTERACTS, SIMILAR
from alignrec_geo.graph.item_knn import item_knn

FOLDER = Path(__file__).parent / "golden"


def load_golden(name: str) -> dict[str, Any]:
    """Read one golden file: arrays by name."""
    with np.load(FOLDER / f"{name}.npz", allow_pickle=False) as stored:
        return {key: stored[key] for key in stored.files}


def toy_interactions() -> Interactions:
    """The 60 users x 40 items of the toy data."""
    user, item, label = load_golden("toy_data")["inter"].T
    return Interactions(user=user, item=item, split=label.astype(np.int8), n_users=60, n_items=40)


def toy_graph(*modalities: str, k: int | None = 10) -> HeteroData:
    """The toy data as a graph with its modalities ("image" if none is named) and the first one's neighbours."""
    toy = load_golden("toy_data")
    train = toy["inter"][toy["inter"][:, 2] == 0]
    data = HeteroData()
    data["user"].num_nodes, data["item"].num_nodes = 60, 40
    data[INTERACTS].edge_index = torch.from_numpy(train[:, :2].T.copy())
    names = modalities or ("image",)
    for name in names:
        x = torch.from_numpy(toy[f"{name}_feat"])
        data["item"][f"x_{name}"], data["item"][f"has_{name}"] = x, torch.ones(len(x), dtype=torch.bool)
    if k is not None:
        first = data["item"][f"x_{names[0]}"], data["item"][f"has_{names[0]}"]
        data[SIMILAR].edge_index, data[SIMILAR].edge_weight = item_knn(*first, k, cache=False)
    return data
