"""Training triplets: shuffled positives with uniform negatives, drawn a whole epoch at a time."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from alignrec_geo.dataset.interactions import Interactions, Split
from alignrec_geo.errors import InputError
from alignrec_geo.kernels.pair_set import PairSet
from alignrec_geo.models.base import Batch


class TripletSampler:
    """Draws ``(user, positive, negative)`` triplets from the training pairs.

    Every epoch visits every training pair once, in a new order. Its negative is uniform over the items that occur in
    training, rejected while the user has it in training. Users who have every one of those items have no negative;
    their pairs are left out.

    Args:
        interactions: all pairs; only the training split is used.
        batch_size: triplets per batch; the last batch of an epoch holds the rest.

    Raises:
        InputError: the training split is empty, or no pair has a negative.
    """

    def __init__(self, interactions: Interactions, batch_size: int) -> None:
        train = interactions.of(Split.TRAIN)
        if len(train) == 0:
            raise InputError("the training split is empty; there is nothing to train on")
        candidates = np.flatnonzero(train.item_degree())
        usable = train.user_degree()[train.user] < len(candidates)
        if not usable.any():
            raise InputError("every user has every training item, so no negative can be drawn")
        self.batch_size = batch_size
        self.n_items = train.n_items
        self.users = torch.from_numpy(train.user[usable])
        self.positives = torch.from_numpy(train.item[usable])
        self.candidates = torch.from_numpy(candidates)
        self._known = PairSet(torch.from_numpy(train.keys()))

    @property
    def steps(self) -> int:
        """Batches per epoch."""
        return -(-len(self.users) // self.batch_size)

    def epoch(self, generator: torch.Generator) -> Iterator[Batch]:
        """Draw one epoch and yield its batches."""
        order = torch.randperm(len(self.users), generator=generator)
        users, positives = self.users.index_select(0, order), self.positives.index_select(0, order)
        negatives = self._negatives(users, generator)
        for u, p, n in zip(*(column.split(self.batch_size) for column in (users, positives, negatives)), strict=True):
            yield Batch(u, p, n, self.batch_size)

    def _negatives(self, users: Tensor, generator: torch.Generator) -> Tensor:
        drawn = self._draw(len(users), generator)
        open_rows = torch.nonzero(self._seen(users, drawn))[:, 0]
        while len(open_rows):
            drawn[open_rows] = self._draw(len(open_rows), generator)
            open_rows = open_rows[self._seen(users[open_rows], drawn[open_rows])]
        return drawn

    def _draw(self, count: int, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(self.candidates), (count,), generator=generator)
        return self.candidates.index_select(0, chosen)

    def _seen(self, users: Tensor, items: Tensor) -> Tensor:
        return self._known.contains(users * self.n_items + items)
