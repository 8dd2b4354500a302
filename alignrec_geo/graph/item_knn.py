"""The item-item graph of content neighbours, computed once per feature matrix and cached."""

import hashlib
import warnings
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from alignrec_geo.errors import InputError
from alignrec_geo.files import atomic_path, cache_folder
from alignrec_geo.kernels.knn import cosine_knn
from alignrec_geo.kernels.ranges import outlier
from alignrec_geo.reading import first_line
from alignrec_geo.staging import sweep_inside
from alignrec_geo.tensors import read_tensors


def item_knn(x: Tensor, present: Tensor, k: int, cache: bool = True, uniform: bool = False) -> tuple[Tensor, Tensor]:
    r"""Return the directed graph of each item's ``k`` most similar items as ``edge_index`` and ``edge_weight``.

    The kept cosines :math:`w_{ij}` (the item itself included) become

    .. math::
        S_{ij} = \frac{w_{ij}}{\sqrt{s_i s_j}}, \qquad s_i = \sum_j w_{ij}

    Similarities below zero count as zero. With ``uniform`` every kept neighbour counts alike instead
    (:math:`w_{ij} = 1`, so :math:`S_{ij} = 1/k`): a plain mean. Items without content neither have neighbours nor are
    any.

    Args:
        x: ``[I, D]``.
        present: ``[I]`` bool, which items have content.
        k: neighbours per item, the item itself included.
        cache: keep the result under a hash of the content, ``k`` and ``uniform`` (see :func:`cache_folder`). What
            cannot be kept is one warning; what is damaged is made again.
        uniform: weigh all neighbours of an item alike.

    Returns:
        ``edge_index`` ``[2, E]`` (row 0 the neighbour, row 1 the item that gathers) and ``edge_weight`` ``[E]``.
    """
    file = _cache_file(_fingerprint(x, present, k, uniform)) if cache else None
    stored = None if file is None else _read(file, len(x))
    if stored is not None:
        return stored
    made = _build(x, present, k, uniform)
    if file is not None:
        _write(file, *made)
    return made


def _cache_file(fingerprint: str) -> Path | None:
    try:
        return cache_folder() / "item-knn" / f"{fingerprint}.safetensors"
    except RuntimeError as error:  # no home folder
        _warn("the user's cache folder", error)
        return None


def _read(file: Path, n_items: int) -> tuple[Tensor, Tensor] | None:
    """What the cache has, ``None`` if that is nothing, or damaged: then it is made again."""
    try:
        if not file.exists():
            return None
        stored, _ = read_tensors(file, ("edge_index", "edge_weight"))
    except (InputError, OSError, ValueError):
        return None
    edge_index, weight = stored["edge_index"], stored["edge_weight"]
    sound = (
        edge_index.dtype == torch.long
        and weight.dtype.is_floating_point
        and edge_index.shape == (2, len(weight))
        and outlier(edge_index, n_items) is None
        and bool(torch.isfinite(weight).all())
    )
    return (edge_index, weight) if sound else None


def _write(file: Path, edge_index: Tensor, edge_weight: Tensor) -> None:
    """Keep a graph; a cache that cannot be written costs time and nothing else."""
    try:
        sweep_inside(file.parent)  # of processes that were killed
        with atomic_path(file) as staging:
            save_file({"edge_index": edge_index, "edge_weight": edge_weight}, staging)
    except (OSError, InputError, ValueError, SafetensorError) as error:
        _warn(file.parent, error)


def _warn(folder: object, error: Exception) -> None:
    warnings.warn(
        f"item graphs cannot be kept in {folder} and are made anew each time ({first_line(error)}); the environment "
        "variable ALIGNREC_CACHE names another folder",
        stacklevel=4,
    )


def _build(x: Tensor, present: Tensor, k: int, uniform: bool) -> tuple[Tensor, Tensor]:
    usable = torch.nonzero(present & (x != 0).any(dim=1))[:, 0]
    similarity, neighbour = cosine_knn(x[usable], k)
    weight = torch.ones_like(similarity) if uniform else similarity.clamp(min=0.0)  # [n, k]
    total = weight.sum(dim=1)
    scale = torch.where(total > 0, total, torch.ones_like(total)).rsqrt()
    weight = weight * scale[:, None] * scale[neighbour]
    centre = usable[:, None].expand_as(neighbour)
    return torch.stack([usable[neighbour].flatten(), centre.flatten()]), weight.flatten()


def _fingerprint(x: Tensor, present: Tensor, k: int, uniform: bool) -> str:
    kind = " uniform" if uniform else ""
    digest = hashlib.sha256(f"item-knn-1{kind} k={k} shape={tuple(x.shape)}".encode())
    for tensor in (x, present):
        digest.update(tensor.detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()
