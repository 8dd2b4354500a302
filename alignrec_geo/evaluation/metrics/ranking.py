"""What a metric sees: the ranked lists of some users, and facts about the items in them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from alignrec_geo.dataset.interactions import Interactions, Split


class Catalogue:
    """Facts about the items, for metrics that look beyond hits; each is computed when a metric first asks.

    Args:
        interactions: all pairs with their splits.
        content: content vectors of unit length, ``[I, D]``, zero where an item has none; ``None`` if no metric asks.
        device: where the facts are wanted.
    """

    def __init__(
        self, interactions: Interactions, content: Tensor | None = None, device: torch.device | str = "cpu"
    ) -> None:
        self._train = interactions.of(Split.TRAIN)
        self.device = torch.device(device)
        self.content = None if content is None else content.to(device)

    @cached_property
    def popularity(self) -> Tensor:
        """Training interactions of every item, ``[I]`` int64."""
        return torch.from_numpy(self._train.item_degree()).to(self.device)

    @cached_property
    def profile_popularity(self) -> Tensor:
        """Mean popularity of every user's training items, ``[U]`` float64; 0 without any."""
        train = self._train
        total = np.bincount(train.user, weights=train.item_degree()[train.item], minlength=train.n_users)
        return torch.from_numpy(total / np.maximum(train.user_degree(), 1)).to(self.device)

    @cached_property
    def information(self) -> Tensor:
        """Self-information of every item in bits, ``[I]`` float64.

        That is -log2 of the share of training users who have the item; one interaction is assumed where there is none.
        """
        users = max(int((self._train.user_degree() > 0).sum()), 1)
        return -torch.log2(self.popularity.clamp(min=1).double() / users)

    def to(self, device: torch.device) -> "Catalogue":
        """The same facts on another device."""
        return self if device == self.device else Catalogue(self._train, self.content, device)


@dataclass(frozen=True)
class RankedLists:
    """The ``R`` best items of ``n`` users, the best first, on any device.

    Args:
        hits: which ranks hold one of the user's positives, ``[n, R]`` bool.
        positives: how many positives each user has, ``[n]`` int64, at least 1.
        users: rows of the users, ``[n]`` int64.
        items: rows of the ranked items, ``[n, R]`` int64.
        listed: which ranks hold an item that may be recommended, ``[n, R]`` bool; where a user has seen almost
            everything the last ranks do not.
        catalogue: facts about the items.
    """

    hits: Tensor
    positives: Tensor
    users: Tensor
    items: Tensor
    listed: Tensor
    catalogue: Catalogue

    def place(self, k: int) -> int:
        """The column of rank ``k``, or of the last rank there is."""
        return min(k, self.hits.shape[1]) - 1

    @cached_property
    def ranks(self) -> Tensor:
        """1, 2, …, ``[R]`` float64."""
        return torch.arange(1, self.hits.shape[1] + 1, dtype=torch.double, device=self.hits.device)

    @cached_property
    def found(self) -> Tensor:
        """Hits up to each rank, ``[n, R]`` float64."""
        return self.hits.double().cumsum(dim=1)

    @cached_property
    def gain(self) -> Tensor:
        """Discounted gain up to each rank, ``[n, R]`` float64."""
        return (self.hits.double() * (1.0 / torch.log2(self.ranks + 1.0))).cumsum(dim=1)

    @cached_property
    def precisions(self) -> Tensor:
        """Sum of the precisions at the hits up to each rank, ``[n, R]`` float64."""
        return (self.hits.double() * self.found / self.ranks).cumsum(dim=1)

    def mean_over_list(self, values: Tensor, k: int) -> Tensor:
        """The mean over each user's ``k`` first items of a value per item.

        Args:
            values: ``[I]`` float64.
            k: the cutoff.

        Returns:
            ``[n]`` float64; 0 for a user whose list is empty.
        """
        listed = self.listed[:, :k]
        return (values[self.items[:, :k]] * listed).sum(dim=1) / listed.sum(dim=1).clamp(min=1)
