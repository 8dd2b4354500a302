"""The metrics by name, and which of them are measured."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.evaluation.metrics.base import AnyMetric, CatalogueMetric, Metric
from alignrec_geo.evaluation.metrics.cutoffs import cutoff_tuple
from alignrec_geo.evaluation.metrics.diversity import DIVERSITY
from alignrec_geo.evaluation.metrics.exposure import COVERAGE, GINI
from alignrec_geo.evaluation.metrics.hits import HIT_RATE, PRECISION, RECALL
from alignrec_geo.evaluation.metrics.popularity import ARP, NOVELTY, POPULARITY_LIFT
from alignrec_geo.evaluation.metrics.ranks import MAP, MRR, NDCG
from alignrec_geo.plugins import find_by_name

METRICS: dict[str, AnyMetric] = {
    metric.name: metric
    for metric in (
        RECALL, NDCG, PRECISION, MAP, HIT_RATE, MRR,
        COVERAGE, GINI, NOVELTY, ARP, POPULARITY_LIFT, DIVERSITY,
    )
}  # fmt: skip
"""Metrics of this package; others join through the entry-point group ``alignrec_geo.metrics``."""
DEFAULT = ("recall", "ndcg", "precision", "map")
"""What is measured where nothing else is asked for."""
ALWAYS = ("recall", "ndcg")
"""What every run measures, for tables and tests of differences."""
SHOWN = ("recall@10", "recall@20", "ndcg@10", "ndcg@20")
"""The columns of every table of models."""
TESTED = ("recall@20", "ndcg@20")
"""What differences between models are tested by; the first one orders them."""
ENTRY_POINT_GROUP = "alignrec_geo.metrics"

Chosen = tuple[AnyMetric, tuple[int, ...]]
"""A metric and its cutoffs."""


def find_metric(name: str) -> AnyMetric:
    """Return the metric called ``name``: one of :data:`METRICS`, or one that an installed package offers.

    Raises:
        InputError: there is none, or what a package offers under that name is no metric of that name.
    """

    def problem(offered: object) -> str | None:
        fits = isinstance(offered, Metric | CatalogueMetric) and offered.name == name
        return None if fits else "is not a Metric of that name"

    return find_by_name(name, METRICS, ENTRY_POINT_GROUP, "metric", problem)


def choose_metrics(metrics: Any, cutoffs: tuple[int, ...]) -> list[Chosen]:
    """Return metrics with their cutoffs.

    Args:
        metrics: one or several: names (``ndcg``), names with a cutoff (``ndcg@10``), or metrics; ``None`` takes
            :data:`DEFAULT`.
        cutoffs: the cutoffs of those that do not name their own.

    Raises:
        InputError: a metric is unknown, or is not one.

    Example:
        >>> [(metric.name, cutoffs) for metric, cutoffs in choose_metrics(["mrr", "ndcg@10", "ndcg@5"], (20,))]
        [('mrr', (20,)), ('ndcg', (10, 5))]
    """
    chosen: dict[str, Chosen] = {}
    for given in DEFAULT if metrics is None else listed_metrics(metrics):
        metric, own = _parsed(given)
        at = own or metric.cutoffs or cutoffs
        known, before = chosen.get(metric.name, (metric, ()))
        if known != metric:
            raise InputError(f"two metrics are called '{metric.name}'")
        chosen[metric.name] = metric, tuple(dict.fromkeys([*before, *at]))
    if not chosen:
        raise InputError("no metric given; name some, such as recall or ndcg@10")
    return list(chosen.values())


def listed_metrics(metrics: Any) -> list[Any]:
    """Return metrics as a list; one stands for itself.

    Raises:
        InputError: it is neither a name or a metric nor a collection.
    """
    if isinstance(metrics, str | Metric | CatalogueMetric):
        return [metrics]
    if isinstance(metrics, Mapping) or not isinstance(metrics, Iterable):
        raise InputError(f"metrics are names such as 'ndcg' or 'ndcg@10', or Metric objects (got {metrics!r:.80})")
    return list(metrics)


def require_content(dataset: Any, chosen: Sequence[Chosen]) -> bool:
    """Return whether a metric compares items by their content, which the data set must have then.

    Raises:
        InputError: it is no data set but interactions alone, or one without features.
    """
    names = [metric.name for metric, _ in chosen if metric.needs_content]
    if names and not isinstance(dataset, Dataset):
        raise InputError(
            f"metric '{names[0]}' compares items by their features; pass the data set, not only its interactions"
        )
    if names and not dataset.feature_names:
        raise InputError(f"metric '{names[0]}' compares items by their features; data set '{dataset.name}' has none")
    return bool(names)


def _parsed(given: Any) -> tuple[AnyMetric, tuple[int, ...]]:
    """A metric and the cutoff that its name says, if it says one."""
    if isinstance(given, Metric | CatalogueMetric):
        return given, ()
    if not isinstance(given, str):
        raise InputError(f"metrics are names such as 'ndcg' or 'ndcg@10', or Metric objects (got {given!r:.80})")
    name, at, cutoff = given.partition("@")
    if not at:
        return find_metric(name), ()
    if not cutoff.isascii() or not cutoff.isdigit():
        raise InputError(f"a metric's cutoff is a whole number, as in 'ndcg@10' (got '{given:.80}')")
    return find_metric(name), cutoff_tuple(int(cutoff))
