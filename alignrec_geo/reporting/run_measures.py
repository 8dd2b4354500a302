"""What a run's report measures itself, from tables and pairs: popularity beside the model, and both by group."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from alignrec_geo.dataset.interactions import Interactions, Split
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.evaluation.evaluator import Evaluator, counted_users
from alignrec_geo.evaluation.groups import ITEM_GROUPS, group_metrics, popularity_groups
from alignrec_geo.evaluation.protocols import Protocol

MOST_USERS = 20_000
"""Users that popularity and the groups are measured for; of more, so many are taken at equal distances."""
Groups = Mapping[str, Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True)
class RunMeasures:
    """Measured for a report.

    Args:
        popularity: metrics of the ranking by training interactions, by split; no split that has nobody to evaluate.
        groups: test metrics of the model by group (see :func:`~alignrec_geo.evaluation.groups.group_metrics`).
        popularity_groups: the same of popularity.
        items: how many items each group of items has.
        users: users of the test split.
        sample: how many of them were measured, where that is fewer.
    """

    popularity: Mapping[str, Mapping[str, float]]
    groups: Groups
    popularity_groups: Groups
    items: Mapping[str, int]
    users: int
    sample: int | None


def measure_run(tables: Embeddings, pairs: Interactions, protocol: Protocol) -> RunMeasures:
    """Measure popularity on validation and test, and the model and popularity by group on test.

    Args:
        tables: ``users [U, D]`` and ``items [I, D]`` of the model.
        pairs: all pairs with their splits.
        protocol: which items are left out of the ranking.

    Raises:
        InputError: the tables do not fit the pairs.

    Example:
        >>> from alignrec_geo.dataset import make_catalogue
        >>> pairs = make_catalogue(n_users=60, n_items=40, image_size=16).interactions
        >>> found = measure_run(Embeddings(torch.ones(60, 1), torch.ones(40, 1)), pairs, Protocol.CLEAN)
        >>> sorted(found.popularity), sum(found.items.values())
        (['test', 'validation'], 40)
    """
    users = len(counted_users(pairs, Split.TEST))
    fewer = _sampled(pairs) if pairs.n_users > MOST_USERS else pairs
    degree = pairs.of(Split.TRAIN).item_degree()
    popular = Embeddings(torch.ones(pairs.n_users, 1), torch.from_numpy(degree)[:, None].float())
    popularity = {}
    for split in (Split.VALIDATION, Split.TEST):
        try:
            popularity[split.label] = Evaluator(fewer, split, protocol)(popular).metrics
        except InputError:  # nobody to evaluate
            continue
    tested = "test" in popularity
    sizes = np.bincount(popularity_groups(degree), minlength=len(ITEM_GROUPS))
    sampled = len(counted_users(fewer, Split.TEST))
    return RunMeasures(
        popularity=popularity,
        groups=group_metrics(tables, fewer, Split.TEST, protocol) if tested else {},
        popularity_groups=group_metrics(popular, fewer, Split.TEST, protocol) if tested else {},
        items=dict(zip(ITEM_GROUPS, sizes.tolist(), strict=True)),
        users=users,
        sample=sampled if sampled < users else None,
    )


def _sampled(pairs: Interactions) -> Interactions:
    """All pairs but those to be found of most users, so that only :data:`MOST_USERS` of them are evaluated."""
    chosen = np.zeros(pairs.n_users, dtype=np.bool_)
    chosen[np.linspace(0, pairs.n_users - 1, MOST_USERS).astype(np.int64)] = True
    held_out = np.isin(pairs.split, [int(Split.VALIDATION), int(Split.TEST)])
    return pairs.take(~held_out | chosen[pairs.user])
