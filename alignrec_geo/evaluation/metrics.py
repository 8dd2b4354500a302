"""Ranking metrics per user, from which of the ranked items were hits."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from alignrec_geo.errors import InputError

METRICS = ("recall", "ndcg", "precision", "map")
CUTOFFS = (5, 10, 20, 50)
MOST = 1_000_000
"""The largest cutoff."""


def cutoff_tuple(cutoffs: Any) -> tuple[int, ...]:
    """Return cutoffs as a tuple of whole numbers; one number stands for itself.

    Raises:
        InputError: none, or something else than whole numbers from 1 to a million.

    Example:
        >>> cutoff_tuple(10), cutoff_tuple([5, 10])
        ((10,), (5, 10))
    """
    given = [cutoffs] if isinstance(cutoffs, int | np.integer) else cutoffs
    values = list(given) if isinstance(given, Iterable) and not isinstance(given, str | bytes | Mapping) else []
    good = all(isinstance(k, int | np.integer) and not isinstance(k, bool) and 1 <= k <= MOST for k in values)
    if not values or not good or len(set(values)) < len(values):
        raise InputError(f"cutoffs must be different whole numbers of at least 1 (got {cutoffs!r:.80})")
    return tuple(int(k) for k in values)


def ranking_metrics(hits: Tensor, positives: Tensor, cutoffs: tuple[int, ...] = CUTOFFS) -> dict[str, Tensor]:
    r"""Return every metric at every cutoff, one value per user.

    With :math:`h_j = 1` if the item at rank :math:`j` is one of the user's :math:`P` positives:

    .. math::
        \text{Recall@}K &= \tfrac1P \sum_{j \le K} h_j, \qquad \text{Precision@}K = \tfrac1K \sum_{j \le K} h_j \\
        \text{NDCG@}K &= \frac{\sum_{j \le K} h_j / \log_2(j + 1)}{\sum_{j \le \min(K, P)} 1 / \log_2(j + 1)} \\
        \text{MAP@}K &= \tfrac{1}{\min(K, P)} \sum_{j \le K} h_j \, \tfrac1j \sum_{l \le j} h_l

    The same values as ``torch_geometric.metrics.LinkPred{Recall,NDCG,Precision,MAP}``.

    Args:
        hits: ``[n, R]`` bool, the best rank first; cutoffs beyond ``R`` count what is there.
        positives: ``[n]``, how many positives each user has, at least 1.
        cutoffs: the values of ``K``.

    Returns:
        ``{"recall@5": [n] float64, …}``.
    """
    hit = hits.double()
    rank = torch.arange(1, hit.shape[1] + 1, dtype=torch.double, device=hit.device)
    discount = 1.0 / torch.log2(rank + 1.0)
    found = hit.cumsum(dim=1)  # hits up to each rank
    gain = (hit * discount).cumsum(dim=1)
    precision_sum = (hit * found / rank).cumsum(dim=1)
    widest = max(cutoffs)
    ideal = (1.0 / torch.log2(torch.arange(2, widest + 2, dtype=torch.double, device=hit.device))).cumsum(dim=0)
    result: dict[str, dict[int, Tensor]] = {name: {} for name in METRICS}
    for k in cutoffs:
        last = min(k, hit.shape[1]) - 1
        reachable = positives.clamp(max=k)
        result["recall"][k] = found[:, last] / positives
        result["precision"][k] = found[:, last] / k
        result["ndcg"][k] = gain[:, last] / ideal[reachable - 1]
        result["map"][k] = precision_sum[:, last] / reachable
    return {f"{name}@{k}": result[name][k] for name in METRICS for k in cutoffs}
