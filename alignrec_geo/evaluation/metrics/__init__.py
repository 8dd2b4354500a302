"""Metrics: what they are called, which there are, and how one adds another."""

import numpy as np
import torch
from torch import Tensor

from alignrec_geo.dataset.interactions import Interactions
from alignrec_geo.evaluation.metrics.base import AnyMetric, CatalogueMetric, Metric
from alignrec_geo.evaluation.metrics.cutoffs import CUTOFFS, cutoff_tuple
from alignrec_geo.evaluation.metrics.measurement import Measurement
from alignrec_geo.evaluation.metrics.ranking import Catalogue, RankedLists
from alignrec_geo.evaluation.metrics.registry import (
    ALWAYS,
    DEFAULT,
    METRICS,
    SHOWN,
    TESTED,
    Chosen,
    choose_metrics,
    find_metric,
    listed_metrics,
    require_content,
)


def ranking_metrics(hits: Tensor, positives: Tensor, cutoffs: tuple[int, ...] = CUTOFFS) -> dict[str, Tensor]:
    """Return Recall, NDCG, Precision and MAP at every cutoff, one value per user, from hits alone.

    The same values as ``torch_geometric.metrics.LinkPred{Recall,NDCG,Precision,MAP}``.

    Args:
        hits: ``[n, R]`` bool, the best rank first; cutoffs beyond ``R`` count what is there.
        positives: ``[n]``, how many positives each user has, at least 1.
        cutoffs: the values of ``K``.

    Returns:
        ``{"recall@5": [n] float64, …}``.
    """
    none = np.zeros(0, dtype=np.int64)
    nothing = Catalogue(Interactions(none, none, none.astype(np.int8), 0, 0))
    measurement = Measurement(choose_metrics(None, cutoffs), nothing)
    unknown = torch.zeros_like(hits, dtype=torch.long)  # these metrics do not look at it
    measurement.add(hits, positives, users=unknown[:, 0], items=unknown, listed=hits)
    return measurement.per_user()


__all__ = [
    "ALWAYS",
    "CUTOFFS",
    "DEFAULT",
    "METRICS",
    "SHOWN",
    "TESTED",
    "AnyMetric",
    "Catalogue",
    "CatalogueMetric",
    "Chosen",
    "Measurement",
    "Metric",
    "RankedLists",
    "choose_metrics",
    "cutoff_tuple",
    "find_metric",
    "listed_metrics",
    "ranking_metrics",
    "require_content",
]
