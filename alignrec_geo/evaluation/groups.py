"""Metrics by group: users by the length of their history, items by their popularity."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alignrec_geo.dataset.interactions import Interactions, Split
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.evaluation.evaluator import Evaluator
from alignrec_geo.evaluation.metrics import ranking_metrics
from alignrec_geo.evaluation.protocols import Protocol
from alignrec_geo.typing import Int64

HISTORY_EDGES = (1, 3, 5, 10, 20)
"""Where the groups of users begin, in training items."""
ITEM_GROUPS = ("head", "mid", "tail", "cold")
"""Groups of items, from the most popular to those without a training interaction."""
REPORTED = ("recall", "ndcg")


def group_metrics(
    embeddings: Embeddings,
    interactions: Interactions,
    split: Split,
    protocol: Protocol = Protocol.CLEAN,
    cutoffs: tuple[int, ...] = (20,),
) -> dict[str, dict[str, dict[str, Any]]]:
    """Return Recall and NDCG of every group of users and of items, from one ranking pass.

    Users are grouped by their number of training items, with fixed edges (1–2, 3–4, 5–9, 10–19, 20 and more). Items
    are grouped by :func:`popularity_groups`; for a group of items only its own positives count as wanted, over the
    users who have at least one, while the ranking stays that of all items. Groups without anybody, or anything, to
    find are left out.

    Args:
        embeddings: ``users [U, D]`` and ``items [I, D]``, finite.
        interactions: all pairs with their splits.
        split: which pairs are to be found.
        protocol: which items are left out of the ranking.
        cutoffs: the values of ``K``.

    Returns:
        ``{"users": {"1-2": {"users": n, "recall@20": …, "ndcg@20": …}, …}, "items": {"head": {"positives": n,
        "share_of_hits": …, "recall@20": …, "ndcg@20": …}, …}}``. ``share_of_hits`` is the group's share of all hits
        within the largest cutoff, 0 if there are none.

    Raises:
        InputError: no user of the split has a training item.

    Example:
        >>> import torch
        >>> from alignrec_geo.dataset import make_catalogue
        >>> pairs = make_catalogue(n_users=60, n_items=40, image_size=16).interactions
        >>> popular = Embeddings(torch.ones(60, 1), torch.from_numpy(pairs.item_degree())[:, None].float())
        >>> sorted(group_metrics(popular, pairs, Split.TEST)["items"])
        ['cold', 'head', 'mid', 'tail']
    """
    evaluator = Evaluator(interactions, split, protocol, cutoffs)
    train, users = interactions.of(Split.TRAIN), evaluator.users.numpy()
    group_of_item = popularity_groups(train.item_degree())
    of_item = torch.from_numpy(group_of_item)
    hit_blocks, group_blocks = [], []
    for block in evaluator.rank(embeddings):
        hit_blocks.append(evaluator.hits(*block).cpu())
        group_blocks.append(of_item[block[2].cpu()])
    hits, groups = torch.cat(hit_blocks), torch.cat(group_blocks)  # [n, R]
    history = np.searchsorted(HISTORY_EDGES, train.user_degree()[users], side="right") - 1  # [n]
    return {
        "users": _by_history(hits, evaluator.positives, torch.from_numpy(history), cutoffs),
        "items": _by_popularity(hits, groups, _positives(interactions.of(split), users, group_of_item), cutoffs),
    }


def popularity_groups(degree: Int64) -> NDArray[np.int8]:
    """Return the group of every item, a position in :data:`ITEM_GROUPS`.

    In order of popularity (among equals the lower row first), the head is the fewest items that together hold a third
    of the training interactions, mid the fewest that bring it to two thirds, tail the others; cold items have none.

    Args:
        degree: training interactions per item, ``[I]``.

    Example:
        >>> popularity_groups(np.array([1, 0, 5, 2, 2])).tolist()
        [2, 3, 0, 1, 2]
    """
    order = np.argsort(-degree, kind="stable")
    before = np.cumsum(degree[order]) - degree[order]  # interactions of all more popular items
    group = np.empty(len(degree), dtype=np.int8)
    group[order] = np.searchsorted([1, 2], 3 * before / max(int(degree.sum()), 1), side="right")
    group[degree == 0] = ITEM_GROUPS.index("cold")
    return group


def _by_history(
    hits: Tensor, positives: Tensor, history: Tensor, cutoffs: tuple[int, ...]
) -> dict[str, dict[str, Any]]:
    result: dict[str, dict[str, Any]] = {}
    for number, first in enumerate(HISTORY_EDGES):
        chosen = history == number
        if chosen.any():
            last = number == len(HISTORY_EDGES) - 1
            label = f"{first}+" if last else f"{first}-{HISTORY_EDGES[number + 1] - 1}"
            result[label] = {"users": int(chosen.sum()), **_means(hits[chosen], positives[chosen], cutoffs)}
    return result


def _by_popularity(
    hits: Tensor, groups: Tensor, positives: Tensor, cutoffs: tuple[int, ...]
) -> dict[str, dict[str, Any]]:
    result: dict[str, dict[str, Any]] = {}
    total = int(hits.sum())
    for number, name in enumerate(ITEM_GROUPS):
        chosen = positives[:, number] > 0
        if chosen.any():
            found = hits & (groups == number)
            result[name] = {
                "positives": int(positives[:, number].sum()),
                "share_of_hits": int(found.sum()) / max(total, 1),
                **_means(found[chosen], positives[chosen, number], cutoffs),
            }
    return result


def _means(hits: Tensor, positives: Tensor, cutoffs: tuple[int, ...]) -> dict[str, float]:
    metrics = ranking_metrics(hits, positives, cutoffs)
    return {f"{name}@{k}": float(metrics[f"{name}@{k}"].mean()) for name in REPORTED for k in cutoffs}


def _positives(wanted: Interactions, users: Int64, group_of_item: NDArray[np.int8]) -> Tensor:
    """How many positives of every item group each of ``users`` has: ``[n, 4]``."""
    count, n = len(ITEM_GROUPS), wanted.n_users
    cells = np.bincount(wanted.user * count + group_of_item[wanted.item], minlength=n * count)
    return torch.from_numpy(cells.reshape(n, count)[users])
