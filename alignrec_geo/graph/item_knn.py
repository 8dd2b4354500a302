"""The item-item graph of content neighbours, computed once per feature matrix and cached."""

import hashlib
import os
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from alignrec_geo.files import atomic_path
from alignrec_geo.kernels.knn import cosine_knn


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
        cache: keep the result under a hash of the content, ``k`` and ``uniform`` (see :func:`cache_folder`).
        uniform: weigh all neighbours of an item alike.

    Returns:
        ``edge_index`` ``[2, E]`` (row 0 the neighbour, row 1 the item that gathers) and ``edge_weight`` ``[E]``.
    """
    file = cache_folder() / "item-knn" / f"{_fingerprint(x, present, k, uniform)}.safetensors"
    if cache and file.exists():
        try:
            stored = load_file(file)
            return stored["edge_index"], stored["edge_weight"]
        except (SafetensorError, KeyError, OSError):
            file.unlink(missing_ok=True)  # a damaged cache entry is made again
    edge_index, edge_weight = _build(x, present, k, uniform)
    if cache:
        with atomic_path(file) as staging:
            save_file({"edge_index": edge_index, "edge_weight": edge_weight}, staging)
    return edge_index, edge_weight


def cache_folder() -> Path:
    """Where computed graphs are kept: ``$ALIGNREC_CACHE``, else ``alignrec_geo`` in the user's cache folder."""
    if "ALIGNREC_CACHE" in os.environ:
        return Path(os.environ["ALIGNREC_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "alignrec_geo"


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
