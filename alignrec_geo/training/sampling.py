"""Training triplets: shuffled positives with uniform negatives, drawn a whole epoch at a time."""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from alignrec_geo.dataset.interactions import Interactions, Split
from alignrec_geo.errors import InputError
from alignrec_geo.kernels.counting_sort import blocks
from alignrec_geo.kernels.csr import INT32_MAX
from alignrec_geo.kernels.pair_set import PairSet
from alignrec_geo.models.base import Batch
from alignrec_geo.typing import Int64

REJECTIONS = 32
"""Rounds of rejection before the rest is drawn from the complement: a user with half of the items is left once in 2³²
draws, and one with 99 of 100 in seven of ten."""


class TripletSampler:
    """Draws ``(user, positive, negative)`` triplets from the training pairs.

    Every epoch visits every training pair once, in a new order; where pairs have weights, as many are drawn, each in
    proportion to its weight and independently of the others. Its negative is uniform over the items that occur in
    training, rejected while the user has it in training; for users who have nearly every item, who would reject for
    long, and on a GPU for all, it is drawn from the items they lack. Users who have every one of those items have no
    negative; their pairs are left out.

    On a CPU ``24 E`` bytes of memory are used, and at most 0.9 GB besides: ``8 E`` for the pairs, ``8 E`` for
    :class:`~alignrec_geo.kernels.pair_set.PairSet`, and ``8 E`` for an epoch's order and negatives. On a GPU these are
    ``20 E`` of its memory, and at most 1.1 GB besides.

    Args:
        interactions: all pairs; only the training split is used.
        batch_size: triplets per batch; the last batch of an epoch holds the rest.
        device: where the triplets are drawn, the CPU by default. A GPU draws others than a CPU does from the same
            generator, and nothing but the seed of an epoch's draws crosses to it.

    Raises:
        InputError: the training split is empty, or no pair has a negative.
    """

    def __init__(self, interactions: Interactions, batch_size: int, device: torch.device | None = None) -> None:
        train = interactions.of(Split.TRAIN)
        if len(train) == 0:
            raise InputError("the training split is empty; there is nothing to train on")
        candidates = np.flatnonzero(train.item_degree())
        usable = train.user_degree()[train.user] < len(candidates)
        if not usable.any():
            users = np.count_nonzero(train.user_degree())
            raise InputError(
                f"no negative can be drawn: in the training split every user ({users:,} of them) has every item "
                f"({len(candidates):,}); at least one pair must be missing"
            )
        self.batch_size = batch_size
        self.n_items = train.n_items
        self.device = device = torch.device("cpu") if device is None else device
        self.users = torch.from_numpy(train.user[usable].astype(np.int32)).to(device)
        self.positives = torch.from_numpy(train.item[usable].astype(np.int32)).to(device)
        self.candidates = torch.from_numpy(candidates).to(device)
        self._n_users = train.n_users
        self._up_to: Tensor | None = None  # sums of the weights: a pair is drawn by where a number falls
        if train.weight is not None:
            self._up_to = torch.from_numpy(np.cumsum(train.weight[usable], dtype=np.float64)).to(device)

    @cached_property
    def _known(self) -> PairSet:
        keys = torch.empty(len(self.users), dtype=torch.long)
        for part in blocks(len(keys)):
            keys[part] = self.users[part].long() * self.n_items + self.positives[part]
        return PairSet(keys)  # asked on a CPU only

    @cached_property
    def _taken(self) -> "_TakenPlaces":
        place = torch.searchsorted(self.candidates, self.positives.long())  # on a CPU ordinary data never come here
        users = self.users.cpu().long().numpy()
        return _TakenPlaces(users, place.cpu().numpy(), self._n_users, self.device)

    @property
    def steps(self) -> int:
        """Batches per epoch."""
        return -(-len(self.users) // self.batch_size)

    def epoch(self, generator: torch.Generator) -> Iterator[Batch]:
        """Draw one epoch and yield its batches.

        Args:
            generator: on the CPU, whatever the device.
        """
        if self.device.type != "cpu":
            seed = int(torch.randint(2**62, (1,), generator=generator))
            generator = torch.Generator(self.device).manual_seed(seed)
        order = self._pairs(generator)
        negatives = self._negatives(order, generator)
        for chosen, drawn in zip(order.split(self.batch_size), negatives.split(self.batch_size), strict=True):
            yield Batch(self._users_of(chosen), self._of(self.positives, chosen), drawn.long(), self.batch_size)

    def _pairs(self, generator: torch.Generator) -> Tensor:
        """Which pairs an epoch visits, ``[E]``."""
        count = len(self.users)
        kind = torch.int32 if count <= INT32_MAX else torch.long
        if self._up_to is None:
            return torch.randperm(count, generator=generator, device=self.device, dtype=kind)
        order = torch.empty(count, dtype=kind, device=self.device)
        for part in blocks(count):
            size = part.stop - part.start
            drawn = torch.rand(size, generator=generator, dtype=torch.float64, device=self.device) * self._up_to[-1]
            order[part] = torch.searchsorted(self._up_to, drawn, right=True).clamp_(max=count - 1).to(kind)
        return order

    def _users_of(self, pairs: Tensor) -> Tensor:
        return self._of(self.users, pairs)

    @staticmethod
    def _of(column: Tensor, pairs: Tensor) -> Tensor:
        return column.index_select(0, pairs).long()

    def _negatives(self, order: Tensor, generator: torch.Generator) -> Tensor:
        """A negative for each pair that an epoch visits, ``[E]`` int32."""
        drawn, rejected = torch.empty(len(order), dtype=torch.int32, device=self.device), []
        if (
            self.device.type != "cpu"
        ):  # without a trial: every round of rejection would wait for the number that is left
            for part in blocks(len(order)):
                drawn[part] = self._draw_lacking(self._users_of(order[part]), generator).int()
            return drawn
        for part in blocks(len(order)):
            items = self._draw(part.stop - part.start, generator)
            drawn[part] = items.int()
            rejected.append(torch.nonzero(self._seen(self._users_of(order[part]), items))[:, 0] + part.start)
        open_rows = torch.cat(rejected)
        for _ in range(REJECTIONS):
            if not len(open_rows):
                return drawn
            items = self._draw(len(open_rows), generator)
            drawn[open_rows] = items.int()
            open_rows = open_rows[self._seen(self._users_of(order[open_rows]), items)]
        if len(open_rows):
            drawn[open_rows] = self._draw_lacking(self._users_of(order[open_rows]), generator).int()
        return drawn

    def _draw_lacking(self, users: Tensor, generator: torch.Generator) -> Tensor:
        """One of the candidates that each user lacks, exactly uniform, without a trial."""
        lacking = len(self.candidates) - self._taken.count(users)
        chance = torch.rand(len(users), generator=generator, dtype=torch.float64, device=self.device)
        rank = torch.minimum((chance * lacking).long(), lacking - 1)  # 53 bits: uniform for any catalogue
        return self.candidates.index_select(0, self._taken.free_place(users, rank))

    def _draw(self, count: int, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(self.candidates), (count,), generator=generator, device=self.device)
        return self.candidates.index_select(0, chosen)

    def _seen(self, users: Tensor, items: Tensor) -> Tensor:
        return self._known.contains(users * self.n_items + items)


class _TakenPlaces:
    """Which places in the list of candidates every user has, for drawing among the others by rank.

    Args:
        user: ``[E]``.
        place: ``[E]``, a place among the candidates.
        n_users: ``U``.
        device: where to look places up; the CPU by default.
    """

    def __init__(self, user: Int64, place: Int64, n_users: int, device: torch.device | None = None) -> None:
        order = np.lexsort((place, user))
        self._place = torch.from_numpy(place[order].astype(np.int32)).to(device)
        degree = np.bincount(user, minlength=n_users)
        self._halvings = int(degree.max(initial=0)).bit_length()
        self._count = torch.from_numpy(degree).to(device)
        self._start = torch.from_numpy(np.cumsum(degree) - degree).to(device)

    def count(self, users: Tensor) -> Tensor:
        """How many places each of ``users`` has, ``[n]``."""
        return self._count[users]

    def free_place(self, users: Tensor, rank: Tensor) -> Tensor:
        """The place with the number ``rank`` (from 0) among those that each user does not have, ``[n]``.

        Of a user's places :math:`p_0 < p_1 < …`, the ``j``-th has :math:`p_j - j` free ones before it. As many places
        as have at most ``rank`` stand before the free one that is looked for; their number is found by halving.
        """
        start, low, high = self._start[users], torch.zeros_like(rank), self._count[users]
        for _ in range(self._halvings):
            middle = (low + high) // 2
            at = (start + middle).clamp(max=len(self._place) - 1)
            before = (self._place[at] - middle <= rank) & (low < high)
            low, high = torch.where(before, middle + 1, low), torch.where(before, high, torch.minimum(middle, high))
        return rank + low
