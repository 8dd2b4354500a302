"""Evaluate two embedding tables on a split: one blocked ranking pass gives every metric for every user."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import torch
from torch import Tensor

from alignrec_geo.dataset.interactions import EVALUATED, Interactions, Split
from alignrec_geo.distributed import current
from alignrec_geo.embeddings import Embeddings, fitting
from alignrec_geo.errors import InputError
from alignrec_geo.evaluation.metrics import (
    CUTOFFS,
    Catalogue,
    Measurement,
    choose_metrics,
    cutoff_tuple,
    require_content,
)
from alignrec_geo.evaluation.protocols import Protocol
from alignrec_geo.evaluation.shared_ranking import shared_ranking
from alignrec_geo.graph.content_space import unit_content
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.excluded import ExcludedPairs
from alignrec_geo.kernels.pair_set import PairSet
from alignrec_geo.kernels.topk import Ranking, blocked_top_k
from alignrec_geo.memory import enough_memory
from alignrec_geo.notebook import metrics_table
from alignrec_geo.typing import Int64


@dataclass(frozen=True)
class Evaluation:
    """Metrics of one model on one split.

    Args:
        users: rows of the users that count, ``[n]`` int64.
        per_user: ``{"recall@20": [n] float64, …}`` in the order of ``users``.
        overall: ``{"coverage@20": …}``, of metrics that have one value for all users together.
    """

    users: Tensor
    per_user: dict[str, Tensor]
    overall: dict[str, float] = field(default_factory=dict)

    @property
    def metrics(self) -> dict[str, float]:
        """The mean over users of every metric that users have a value of, then the others."""
        return {**{name: float(values.mean()) for name, values in self.per_user.items()}, **self.overall}

    def __repr__(self) -> str:
        """The values; those per user are thousands of numbers."""
        values = {name: round(value, 4) for name, value in self.metrics.items()}
        return f"Evaluation({values}, {len(self.users):,} users)"

    def _repr_html_(self) -> str:
        return metrics_table(self.metrics, f"{len(self.users):,} users")

    def frame(self, ids: pl.Series) -> pl.DataFrame:
        """One row per user with its external id (``ids`` holds those of all users) and every metric."""
        columns = {name: values.numpy() for name, values in self.per_user.items()}
        return pl.DataFrame({"user": ids.gather(self.users.numpy()), **columns})


def counted_users(interactions: Interactions, split: Split) -> Int64:
    """Return the rows of the users that count when a split is evaluated: those with a pair in it of whom one is known.

    Known are training pairs and the histories of held-out users.

    Args:
        interactions: all pairs with their splits.
        split: which pairs are to be found.
    """
    known = interactions.of(Split.TRAIN, Split.HISTORY).user_degree() > 0
    return np.flatnonzero((interactions.of(split).user_degree() > 0) & known)


class Evaluator:
    """Ranks all items for the users of a split; made once, called every epoch.

    Args:
        interactions: a data set, or its pairs with their splits alone, which is enough where no metric needs content.
        split: which pairs are to be found.
        protocol: which items are left out (see :class:`Protocol`).
        cutoffs: the values of ``K``; one number stands for itself.
        metrics: names such as ``ndcg`` or ``mrr@10``, or :class:`~alignrec_geo.evaluation.metrics.Metric` objects;
            ``None`` takes Recall, NDCG, Precision and MAP.

    Raises:
        InputError: no user of the split has a training item, a metric needs content that is not there, or an argument
            is none of those above.

    Example:
        >>> import torch
        >>> from alignrec_geo.dataset import Split, make_catalogue
        >>> from alignrec_geo.embeddings import Embeddings
        >>> pairs = make_catalogue(n_users=60, n_items=40, image_size=16).interactions
        >>> tables = Embeddings(torch.ones(60, 1), torch.from_numpy(pairs.item_degree())[:, None].float())
        >>> sorted(Evaluator(pairs, Split.TEST)(tables).metrics)[:2]
        ['map@10', 'map@20']
    """

    def __init__(
        self,
        interactions: Any,
        split: Split | str,
        protocol: Protocol | str = Protocol.CLEAN,
        cutoffs: int | Iterable[int] = CUTOFFS,
        metrics: Any = None,
    ) -> None:
        given = interactions
        if not isinstance(interactions, Interactions):
            interactions = getattr(interactions, "interactions", interactions)  # those of a whole data set
        if not isinstance(interactions, Interactions):
            raise InputError(f"an evaluator takes the interactions of a data set (got a {type(interactions).__name__})")
        split = split if isinstance(split, Split) else Split.parse(split)
        if split not in EVALUATED:
            raise InputError(f"the split '{split.label}' is not evaluated")
        protocol = protocol if isinstance(protocol, Protocol) else Protocol.parse(protocol)
        self.split, self.protocol, self.cutoffs = split, protocol, cutoff_tuple(cutoffs)
        self.chosen = choose_metrics(metrics, self.cutoffs)
        self.depth = max(k for _, cutoffs in self.chosen for k in cutoffs)
        self.n_users, self.n_items = interactions.n_users, interactions.n_items
        wanted = interactions.of(split)
        counted = counted_users(interactions, split)
        if len(counted) == 0:
            raise InputError(f"the {split.label} split has no user with a training interaction; nothing to evaluate")
        self.users = torch.from_numpy(counted)
        self.positives = torch.from_numpy(wanted.user_degree()[counted])
        self._keys = torch.from_numpy(wanted.keys())
        masked = interactions.of(*protocol.masked(split))
        user, item = torch.from_numpy(masked.user), torch.from_numpy(masked.item)
        self.masked = CSR.pattern(user, item, (masked.n_users, masked.n_items))
        self._tasks: dict[torch.device, _Task] = {}
        content = unit_content(given) if require_content(given, self.chosen) else None
        self._catalogue = Catalogue(interactions, content)

    def __call__(self, embeddings: Embeddings) -> Evaluation:
        """Rank and measure, on the device of the tables; what leaves it is the result.

        Args:
            embeddings: ``users [U, D]`` and ``items [I, D]``, finite.

        Raises:
            InputError: the tables have another shape, hold NaN or infinity, or memory ran out.
        """
        with enough_memory("ranking", lower="dim"):
            return self.measure(self.rank(embeddings))

    def rank(self, embeddings: Embeddings) -> Ranking:
        """Rank all items for :attr:`users`, on the device of the tables: the blocks that :meth:`measure` takes.

        Args:
            embeddings: ``users [U, D]`` and ``items [I, D]``, finite; among several ranks this one's columns of both.

        Raises:
            InputError: the tables have another shape, or hold NaN or infinity.
        """
        embeddings = fitting(embeddings, self.n_users, self.n_items)
        task = self._task(embeddings.users.device)
        group = current()
        if group is not None:
            return shared_ranking(group, embeddings, task.users, self.depth, self.masked)
        return blocked_top_k(*embeddings, task.users, self.depth, task.excluded)

    def measure(self, ranking: Iterable[tuple[Tensor, Tensor, Tensor]]) -> Evaluation:
        """Measure a ranking that was made elsewhere.

        Args:
            ranking: blocks of user rows ``[b]``, scores ``[b, k]`` and items ``[b, k]``, all of :attr:`users` in their
                order; items scored minus infinity do not count.
        """
        measurement, first = Measurement(self.chosen, self._catalogue), 0
        for users, scores, items in ranking:
            positives = self._task(items.device).positives[first : first + len(users)]
            measurement.add(self.hits(users, scores, items), positives, users, items, scores != -torch.inf)
            first += len(users)
        return Evaluation(self.users, measurement.per_user(), measurement.overall())

    def hits(self, users: Tensor, scores: Tensor, items: Tensor) -> Tensor:
        """Return which ranked items are to be found, ``[b, k]`` bool, for one block of a ranking."""
        wanted = self._task(items.device).wanted
        return wanted.contains(users[:, None] * self.n_items + items) & (scores != -torch.inf)

    def _task(self, device: torch.device) -> "_Task":
        """What is ranked and looked for, on a device; moved there once."""
        if device not in self._tasks:
            self._tasks[device] = _Task(
                self.users.to(device),
                self.positives.to(device),
                PairSet(self._keys.to(device)),
                ExcludedPairs.of(self.masked, self.users).to(device),
            )
        return self._tasks[device]


class _Task(NamedTuple):
    users: Tensor
    positives: Tensor
    wanted: PairSet
    excluded: ExcludedPairs
