"""Feature matrices as they are looked at: which items are near, and where they lie on a plane."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from alignrec_geo.dataset.interactions import Split
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.evaluation.groups import ITEM_GROUPS, popularity_groups
from alignrec_geo.graph.modalities import Modality
from alignrec_geo.graph.profiles import unit_content
from alignrec_geo.kernels.topk import top_k
from alignrec_geo.typing import Int64

FITTED, DRAWN = 4096, 600
"""Items that a plane is fitted to, and items that are drawn, at equal distances among all."""
COLOURS = 7
"""Categories with a colour of their own; the others share one."""
COMMON = 0.2
"""Share of the squared lengths that all vectors have in common, from which on subtracting their mean changes much."""
MAPS = ("pca", "umap")


@dataclass(frozen=True)
class Content:
    """One content as it is compared by cosines.

    Args:
        name: names of feature matrices joined by ``+``, and how they were changed.
        items: rows of the items that have it, ``[n]``.
        unit: unit rows, ``[n, D]``.
    """

    name: str
    items: Int64
    unit: Tensor


def open_contents(data: Dataset, names: Sequence[str], centred: bool = False) -> list[Content]:
    """The contents of a data set over the items that have all of them, so that each has the same neighbours to find.

    Args:
        data: the data set.
        names: feature matrices; ``image+text`` joins two, each scaled to unit rows first, as in training.
        centred: also those with their mean subtracted whose vectors have much in common.

    Raises:
        InputError: a feature is unknown, nothing is named, or no item has all of them.
    """
    single = list(dict.fromkeys(part for name in names for part in name.split("+")))
    stored = {name: data.features(name) for name in single}
    if not stored:
        raise InputError(f"data set '{data.name}' has no feature matrices; make some with 'features extract'")
    items = np.flatnonzero(np.logical_and.reduce([one.present for one in stored.values()]))
    if not len(items):
        raise InputError(f"no item of '{data.name}' has all of: {', '.join(single)}")
    whole = torch.ones(len(items), dtype=torch.bool)
    found = []
    for name in dict.fromkeys(names):
        parts = name.split("+")
        rows = [torch.from_numpy(stored[part].matrix[items]).float() for part in parts]  # may be stored in half
        rows = [F.normalize(one, dim=1) for one in rows] if len(parts) > 1 else rows
        modalities = [Modality(part, one, whole) for part, one in zip(parts, rows, strict=True)]
        found.append(Content(name, items, unit_content(modalities, False)))
        if centred and float(found[-1].unit.mean(dim=0).square().sum()) > COMMON:
            found.append(Content(f"{name}, centred", items, unit_content(modalities, True)))
    return found


def neighbours(content: Content, row: int, k: int) -> list[tuple[int, float]]:
    """The ``k`` items most similar to one, itself left out: their rows in the data set, and the cosines.

    Args:
        content: the vectors.
        row: place of the item in ``content.items``.
        k: how many; fewer come back where there are fewer.

    Example:
        >>> two = Content("x", np.array([4, 7, 9]), torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]]))
        >>> [(item, round(cosine, 2)) for item, cosine in neighbours(two, 0, 2)]
        [(7, 0.6), (9, 0.0)]
    """
    cosines = content.unit @ content.unit[row]
    cosines[row] = -torch.inf
    values, places = top_k(cosines[None], min(k, len(cosines) - 1))
    return list(zip(content.items[places[0].numpy()].tolist(), values[0].tolist(), strict=True))


def principal_plane(rows: NDArray[np.float64], steps: int = 40) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""The first two principal components by subspace iteration: :math:`Q \leftarrow \text{qr}(X^\top X Q)`.

    Args:
        rows: ``[n, D]``.
        steps: iterations; directions whose variances are close to each other take more.

    Returns:
        The axes ``[D, 2]``, each with its largest entry positive, and the shares of the variance ``[2]``.

    Example:
        >>> axes, shares = principal_plane(np.array([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]]))
        >>> np.abs(axes).round(6).tolist(), shares.round(2).tolist()
        ([[1.0, 0.0], [0.0, 1.0]], [0.8, 0.2])
    """
    centred = rows - rows.mean(axis=0)
    width = min(10, *centred.shape)
    basis = np.random.default_rng(0).standard_normal((centred.shape[1], width))
    for _ in range(steps):
        basis, _ = np.linalg.qr(centred.T @ (centred @ basis))
    _, scale, turned = np.linalg.svd(centred @ basis, full_matrices=False)
    axes, scale = (basis @ turned.T)[:, :2], scale[:2]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    return axes, scale**2 / max(float((centred**2).sum()), 1e-12)


def opened_map(how: str) -> Any:
    """The package that makes a map; ``None`` for ``pca``, which takes none.

    Raises:
        InputError: an unknown map, or the package is missing.
    """
    if how not in MAPS:
        raise InputError(f"unknown map (got '{how}'); allowed: {', '.join(MAPS)}")
    if how == "pca":
        return None
    try:
        return importlib.import_module("umap")
    except ImportError:
        raise InputError("the map 'umap' needs a package that is not installed: pip install umap-learn") from None


def plane(content: Content, how: str) -> tuple[Int64, NDArray[np.float64], tuple[str, str]]:
    """Where items lie on a plane: their places in ``content.items``, ``[n, 2]``, and what the axes are.

    Args:
        content: the vectors.
        how: ``pca``, or ``umap`` where the package ``umap-learn`` is installed.

    Raises:
        InputError: see :func:`opened_map`.
    """
    total = len(content.items)
    fitted = np.unique(np.linspace(0, total - 1, min(FITTED, total)).astype(np.int64))
    drawn = np.unique(np.linspace(0, total - 1, min(DRAWN, total)).astype(np.int64))
    if how == "pca":
        axes, shares = principal_plane(content.unit[torch.from_numpy(fitted)].double().numpy())
        points = content.unit[torch.from_numpy(drawn)].double().numpy() @ axes
        points = np.pad(points, ((0, 0), (0, 2 - points.shape[1])))  # vectors of one number have no second component
        named = [f"{100 * share:.0f} % of the variance" for share in (*shares.tolist(), 0.0)[:2]]
        return drawn, points, (f"1st component, {named[0]}", f"2nd component, {named[1]}")
    made = opened_map(how).UMAP(n_components=2, metric="cosine", random_state=0)
    points = np.asarray(made.fit_transform(content.unit[torch.from_numpy(drawn)].numpy()), dtype=np.float64)
    return drawn, points, ("UMAP 1, no unit", "UMAP 2, no unit")


def coloured(data: Dataset, column: str | None) -> tuple[str, list[str], Int64]:
    """What items are coloured by: its name, the categories, and the category of every item ``[I]``.

    Args:
        data: the data set.
        column: of the items; by default the first one of texts with 2 to 12 different values, or else popularity.

    Raises:
        InputError: there is no such column.
    """
    others = [name for name in data.items.columns if name not in ("id", "title", "text", "image")]
    if column is not None and column not in others:
        raise InputError(f"items of '{data.name}' have no column '{column}'; there are: {', '.join(others) or 'none'}")
    if column is None:
        texts = [name for name in others if data.items[name].dtype == pl.String]
        column = next((name for name in texts if 2 <= data.items[name].n_unique() <= 12), None)
    if column is None:
        groups = popularity_groups(data.interactions.of(Split.TRAIN).item_degree())
        return "popularity", list(ITEM_GROUPS), groups.astype(np.int64)
    values = data.items[column].cast(pl.String).fill_null("not known")
    counts: Any = values.value_counts(sort=True).sort("count", column, descending=[True, False])
    names = counts[column].to_list()
    kept = names if len(names) <= COLOURS + 1 else [*names[:COLOURS], "others"]
    numbers = {name: min(place, len(kept) - 1) for place, name in enumerate(names)}
    return column, kept, np.array([numbers[value] for value in values.to_list()], dtype=np.int64)
