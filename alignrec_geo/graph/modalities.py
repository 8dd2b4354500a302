"""The content of every item: its feature matrices, one by one or side by side."""

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from alignrec_geo.errors import InputError
from alignrec_geo.graph.checks import node_count

if TYPE_CHECKING:
    from torch_geometric.data import HeteroData

Scaling = Literal["auto", "row", "none"]


class Modality(NamedTuple):
    """One feature matrix of the items."""

    name: str
    x: Tensor
    """``[I, D]``; what stands in a missing row is not to be used."""
    present: Tensor
    """``[I]`` bool, which items have it."""


def item_content(data: "HeteroData", features: Sequence[str], scaling: Scaling = "auto") -> tuple[Tensor, Tensor]:
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
    n_items = node_count(data, "item")
    if not features:
        return torch.zeros(n_items, 0), torch.zeros(n_items, dtype=torch.bool)
    chosen: Literal["row", "none"] = ("row" if len(features) > 1 else "none") if scaling == "auto" else scaling
    parts = modalities(data, features, chosen)
    return side_by_side(parts)


def side_by_side(parts: Sequence[Modality]) -> tuple[Tensor, Tensor]:
    """Return ``x`` ``[I, D]`` of all modalities, at least one, and which items have any of them, ``[I]`` bool."""
    return torch.cat([part.x for part in parts], dim=1), torch.stack([part.present for part in parts]).any(dim=0)


def modalities(data: "HeteroData", features: Sequence[str], scaling: Literal["row", "none"] = "none") -> list[Modality]:
    """Return every feature matrix by itself, for models that treat modalities apart.

    Args:
        data: a graph whose item nodes carry ``x_NAME`` and, if some rows are missing, ``has_NAME``; without a mask the
            rows of zeros are. Features ``x`` may also be PyG's own ``x``.
        features: which, in which order.
        scaling: ``row``: rows of unit length; ``none``: as they are.

    Raises:
        InputError: the graph lacks a feature, or holds it in another form than numbers, one finite row per item.
    """
    n_items, store = node_count(data, "item"), data["item"]
    parts = []
    for name in features:
        key = _key_of(data, name)
        if key is None:
            known = ", ".join(feature_names(data)) or "none"
            raise InputError(f"the graph's items have no features '{name}'; there are: {known}")
        x = _matrix(store[key], f"item.{key}", n_items)
        present = _mask(store[f"has_{name}"], name, n_items) if f"has_{name}" in store else (x != 0).any(dim=1)
        x = _finite(x, present, f"item.{key}")
        parts.append(Modality(name, F.normalize(x, dim=1) if scaling == "row" else x, present))
    return parts


def feature_names(data: "HeteroData") -> list[str]:
    """Names of the features that a graph's items carry, sorted: ``x_NAME``, and ``x`` for PyG's own ``x``."""
    if "item" not in data.node_types:
        return []
    keys = [str(key) for key in data["item"].keys()]  # noqa: SIM118
    return sorted({key.removeprefix("x_") for key in keys if key.startswith("x_") or key == "x"})


def feature_list(features: Any) -> list[str] | None:
    """Return names of features as a list: one name stands for itself, ``None`` stays.

    Raises:
        InputError: something that is no name, or a name given twice.

    Example:
        >>> feature_list("image"), feature_list(("image", "text")), feature_list(None)
        (['image'], ['image', 'text'], None)
    """
    if features is None:
        return None
    if isinstance(features, str):
        return [features]
    if isinstance(features, bytes | Mapping) or not isinstance(features, Iterable):
        raise InputError(f"features must be names of feature matrices (got {features!r:.80})")
    names = sorted(features, key=str) if isinstance(features, Set) else list(features)
    for number, name in enumerate(names):
        if not isinstance(name, str):
            raise InputError(f"features must be names of feature matrices (got {name!r:.80})")
        if name in names[:number]:
            raise InputError(f"features names '{name}' twice")
    return [str(name) for name in names]


def _key_of(data: "HeteroData", name: str) -> str | None:
    """The attribute that holds features ``name``."""
    found = [key for key in (f"x_{name}", *(["x"] if name == "x" else [])) if key in data["item"]]
    if len(found) > 1:
        raise InputError("the graph's items carry both 'x' and 'x_x'; name one of them otherwise")
    return found[0] if found else None


def _matrix(value: Any, label: str, n_items: int) -> Tensor:
    if not isinstance(value, Tensor):
        raise InputError(f"{label} must be a tensor [items, width] (got a {type(value).__name__})")
    x = value.detach()
    x = x if x.layout == torch.strided else x.to_dense()
    if x.dim() != 2 or x.shape[1] == 0 or x.dtype.is_complex:
        raise InputError(f"{label} must be a matrix of numbers [items, width] (got {x.dtype}, {list(x.shape)})")
    if len(x) != n_items:
        raise InputError(f"{label} has {len(x)} rows; there are {n_items} items")
    if x.device.type != "cpu":
        raise InputError(
            f"{label} is on another device; make the model from graph.cpu() and move it with model.to(…) "
            f"(got {x.device})"
        )
    return x.float()


def _mask(value: Any, name: str, n_items: int) -> Tensor:
    shape = list(value.shape) if isinstance(value, Tensor) else type(value).__name__
    if shape != [n_items]:
        raise InputError(f"item.has_{name} must say for every item whether it is there, [{n_items}] (got {shape})")
    return cast(Tensor, value.cpu().bool())


def _finite(x: Tensor, present: Tensor, label: str) -> Tensor:
    finite = torch.isfinite(x).all(dim=1)
    if bool(finite.all()):
        return x
    bad = torch.nonzero(~finite & present)[:, 0]
    if len(bad):
        raise InputError(f"{label} holds NaN or infinity in {len(bad)} of {len(x)} rows (first: row {int(bad[0])})")
    return x.masked_fill(~finite[:, None], 0.0)  # rows that are said to be missing
