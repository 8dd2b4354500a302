"""Metrics of rankings that come in blocks of users."""

from collections.abc import Sequence

import torch
from torch import Tensor

from alignrec_geo.evaluation.metrics.base import CatalogueMetric, Metric
from alignrec_geo.evaluation.metrics.ranking import Catalogue, RankedLists
from alignrec_geo.evaluation.metrics.registry import Chosen


class Measurement:
    """Measures one block after the other; what it keeps are a number per user and metric, and one per item and cutoff.

    Nothing is read back from the rankings' device before the end.

    Args:
        chosen: the metrics with their cutoffs.
        catalogue: facts about the items.
    """

    def __init__(self, chosen: Sequence[Chosen], catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._of_users = [(metric, cutoffs) for metric, cutoffs in chosen if isinstance(metric, Metric)]
        self._of_items = [(metric, cutoffs) for metric, cutoffs in chosen if isinstance(metric, CatalogueMetric)]
        self._blocks: dict[str, list[Tensor]] = {f"{metric.name}@{k}": [] for metric, at in self._of_users for k in at}
        self._counts: dict[int, Tensor] = {}

    def add(self, hits: Tensor, positives: Tensor, users: Tensor, items: Tensor, listed: Tensor) -> None:
        """Measure a block of users; the arguments are those of :class:`RankedLists`, all on one device."""
        self._catalogue = self._catalogue.to(hits.device)
        ranking = RankedLists(hits, positives, users, items, listed, self._catalogue)
        for metric, cutoffs in self._of_users:
            for k in cutoffs:
                self._blocks[f"{metric.name}@{k}"].append(metric.function(ranking, k))
        for k in {k for _, cutoffs in self._of_items for k in cutoffs}:
            if k not in self._counts:
                self._counts[k] = torch.zeros_like(self._catalogue.popularity)
            self._counts[k].scatter_add_(0, items[:, :k].reshape(-1), listed[:, :k].reshape(-1).to(torch.int64))

    def per_user(self) -> dict[str, Tensor]:
        """``{"recall@5": [n] float64, …}``, in the order in which users came."""
        if not self._blocks:
            return {}
        values = torch.stack([torch.cat(blocks).double() for blocks in self._blocks.values()]).cpu()  # one copy
        return dict(zip(self._blocks, values, strict=True))

    def overall(self) -> dict[str, float]:
        """``{"coverage@5": …, …}``."""
        return {
            f"{metric.name}@{k}": float(metric.function(self._counts[k])) for metric, at in self._of_items for k in at
        }
