r"""Metrics that count hits.

With :math:`h_j = 1` if the item at rank :math:`j` is one of the user's :math:`P` positives:

.. math::
    \text{Recall@}K = \tfrac1P \sum_{j \le K} h_j, \qquad \text{Precision@}K = \tfrac1K \sum_{j \le K} h_j, \qquad
    \text{HitRate@}K = \max_{j \le K} h_j
"""

from torch import Tensor

from alignrec_geo.evaluation.metrics.base import Metric
from alignrec_geo.evaluation.metrics.ranking import RankedLists


def recall(ranking: RankedLists, k: int) -> Tensor:
    """The share of the user's positives among the first ``k`` items, ``[n]``."""
    return ranking.found[:, ranking.place(k)] / ranking.positives


def precision(ranking: RankedLists, k: int) -> Tensor:
    """The share of positives among ``k`` places, ``[n]``."""
    return ranking.found[:, ranking.place(k)] / k


def hit_rate(ranking: RankedLists, k: int) -> Tensor:
    """1 for a user with a positive among the first ``k`` items, else 0, ``[n]``."""
    return ranking.found[:, ranking.place(k)].clamp(max=1.0)


RECALL = Metric("recall", recall)
PRECISION = Metric("precision", precision)
HIT_RATE = Metric("hit_rate", hit_rate)
