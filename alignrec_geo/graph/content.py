"""The content of every item: its feature matrices, one by one or side by side."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.data import HeteroData

from alignrec_geo.errors import InputError

Scaling = Literal["auto", "row", "none"]


class Modality(NamedTuple):
    """One feature matrix of the items."""

    name: str
    x: Tensor
    """``[I, D]``; what stands in a missing row is not to be used."""
    present: Tensor
    """``[I]`` bool, which items have it."""


def item_content(data: HeteroData, features: Sequence[str], scaling: Scaling = "auto") -> tuple[Tensor, Tensor]:
    """Return the items' content vectors and which items have any.

    Args:
        data: a graph whose item nodes carry ``x_NAME`` ``[I, D]`` and ``has_NAME`` ``[I]`` for every name.
        features: which; several are put side by side.
        scaling: ``row``: every matrix has its rows scaled to unit length first, so that no modality outweighs another;
            ``none``: as they are; ``auto``: ``row`` for several matrices, ``none`` for one.

    Returns:
        ``x`` ``[I, D]`` and ``present`` ``[I]`` bool. Without any feature ``x`` has no columns.

    Raises:
        InputError: the graph lacks a feature.
    """
    n_items = data["item"].num_nodes
    if not features:
        return torch.zeros(n_items, 0), torch.zeros(n_items, dtype=torch.bool)
    chosen: Literal["row", "none"] = ("row" if len(features) > 1 else "none") if scaling == "auto" else scaling
    parts = modalities(data, features, chosen)
    return torch.cat([part.x for part in parts], dim=1), torch.stack([part.present for part in parts]).any(dim=0)


def modalities(data: HeteroData, features: Sequence[str], scaling: Literal["row", "none"] = "none") -> list[Modality]:
    """Return every feature matrix by itself, for models that treat modalities apart.

    Args:
        data: a graph whose item nodes carry ``x_NAME`` and ``has_NAME``.
        features: which, in which order.
        scaling: ``row``: rows of unit length; ``none``: as they are.

    Raises:
        InputError: the graph lacks a feature.
    """
    parts = []
    for name in features:
        if f"x_{name}" not in data["item"]:
            known = ", ".join(feature_names(data)) or "none"
            raise InputError(f"the graph's items have no features '{name}'; there are: {known}")
        x = data["item"][f"x_{name}"].float()
        present = data["item"][f"has_{name}"] if f"has_{name}" in data["item"] else (x != 0).any(dim=1)
        parts.append(Modality(name, F.normalize(x, dim=1) if scaling == "row" else x, present))
    return parts


def feature_names(data: HeteroData) -> list[str]:
    """Names of the features that a graph's items carry (``x_NAME``), sorted."""
    return sorted(key.removeprefix("x_") for key in data["item"].keys() if key.startswith("x_"))  # noqa: SIM118
