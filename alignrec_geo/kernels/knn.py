"""Exact nearest neighbours by cosine, in row blocks."""

import torch
import torch.nn.functional as F
from torch import Tensor

from alignrec_geo.kernels.topk import blocked_top_k


def cosine_knn(x: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return each row's ``k`` most similar rows by cosine, itself included.

    Exact; the rows×rows matrix is never formed. Among equal similarities the lower row number comes first.

    Args:
        x: ``[I, D]``, no zero rows.
        k: how many neighbours; all rows if there are fewer.

    Returns:
        Similarities ``[I, k]``, sorted downwards, and neighbours ``[I, k]``.
    """
    unit = F.normalize(x, dim=1)
    k = min(k, len(x))
    similarity, neighbour = x.new_empty(len(x), k), torch.empty(len(x), k, dtype=torch.long, device=x.device)
    first = 0
    for rows, value, column in blocked_top_k(unit, unit, torch.arange(len(x), device=x.device), k):
        block = slice(first, first + len(rows))
        similarity[block], neighbour[block] = value, column
        first += len(rows)
    return similarity, neighbour


def reference_cosine_knn(x: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The plain formula of :func:`cosine_knn`, with the whole similarity matrix."""
    unit = x / x.norm(dim=1, keepdim=True)
    value, column = torch.sort(unit @ unit.T, dim=1, descending=True, stable=True)
    return value[:, :k], column[:, :k]
