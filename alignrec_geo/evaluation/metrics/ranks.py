r"""Metrics that say how high the hits stand.

With :math:`h_j = 1` if the item at rank :math:`j` is one of the user's :math:`P` positives:

.. math::
    \text{NDCG@}K &= \frac{\sum_{j \le K} h_j / \log_2(j + 1)}{\sum_{j \le \min(K, P)} 1 / \log_2(j + 1)} \\
    \text{MAP@}K &= \tfrac{1}{\min(K, P)} \sum_{j \le K} h_j \, \tfrac1j \sum_{l \le j} h_l \\
    \text{MRR@}K &= \max_{j \le K} h_j / j
"""

import torch
from torch import Tensor

from alignrec_geo.evaluation.metrics.base import Metric
from alignrec_geo.evaluation.metrics.ranking import RankedLists


def ndcg(ranking: RankedLists, k: int) -> Tensor:
    """Discounted gain over the best possible one, ``[n]``."""
    place = torch.arange(2, k + 2, dtype=torch.double, device=ranking.hits.device)
    ideal = (1.0 / torch.log2(place)).cumsum(dim=0)
    return ranking.gain[:, ranking.place(k)] / ideal[ranking.positives.clamp(max=k) - 1]


def average_precision(ranking: RankedLists, k: int) -> Tensor:
    """Mean precision at the hits, over as many hits as there could be, ``[n]``."""
    return ranking.precisions[:, ranking.place(k)] / ranking.positives.clamp(max=k)


def reciprocal_rank(ranking: RankedLists, k: int) -> Tensor:
    """One over the rank of the first hit, 0 without one, ``[n]``."""
    return (ranking.hits[:, :k] / ranking.ranks[:k]).amax(dim=1)


NDCG = Metric("ndcg", ndcg)
MAP = Metric("map", average_precision)
MRR = Metric("mrr", reciprocal_rank)
