"""Tables in which what the split holds out whole has what it would have if it were new: users and items."""

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from alignrec_geo.dataset.interactions import Interactions, Split
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.serving.cold import ContentNeighbours, mean_of_neighbours

if TYPE_CHECKING:
    from alignrec_geo.models.base import Recommender


class _Users(NamedTuple):
    rows: Tensor
    histories: CSR


class _Items(NamedTuple):
    rows: Tensor
    warm: Tensor
    neighbour: Tensor
    share: Tensor


class HeldOut:
    """Users and items that nothing is trained of, as validation, test and recommendations see them: as new ones.

    - Users with a history and no training pair (rule ``cold-users``) are folded in.
    - Items of a split that holds out items whole (rule ``cold-items``: no pair of validation and test is of an item
      with a training pair) are placed by their content, as ``embed`` places new ones
      (:class:`~alignrec_geo.serving.NeighbourMean`). Those without content, and all items of a model without features
      or with :attr:`~alignrec_geo.models.Recommender.places_cold_items`, keep the vectors of the model.

    Who is nearest to whom is found once; the vectors are made anew for every state of the model.

    Args:
        model: the model whose tables are asked for.
        dataset: what it is trained and judged on.

    Attributes:
        new_items: items without a training pair, of a split that holds out items whole and a model that does not place
            them by itself; 0 otherwise.
    """

    def __init__(self, model: "Recommender", dataset: Dataset) -> None:
        self._users = _held_out_users(dataset.interactions)
        self._items: _Items | None = None
        self.new_items = 0
        if not model.places_cold_items and holds_out_items(dataset.interactions):
            self.new_items = int((dataset.interactions.of(Split.TRAIN).item_degree() == 0).sum())
            self._items = _held_out_items(dataset, model.features)

    def tables(self, model: "Recommender") -> Embeddings:
        """The tables of the model as it is."""
        users, items = model.embeddings()
        if self._users is not None:
            folded = users.clone()
            folded[self._users.rows.to(users.device)] = model.fold_in(self._users.histories).to(folded)
            users = folded
        return Embeddings(users, self.placed_among(items))

    @property
    def placed(self) -> int:
        """How many of :attr:`new_items` are placed by their content."""
        return 0 if self._items is None else len(self._items.rows)

    def places(self, item: int) -> bool:
        """Whether the vector of an item is made from its neighbours."""
        return self._items is not None and bool((self._items.rows == item).any())

    def placed_among(self, items: Tensor) -> Tensor:
        """The model's table of items ``[I, d]``, with new items placed by their content."""
        if self._items is None:
            return items
        rows, warm, neighbour, share = (part.to(items.device) for part in self._items)
        trained = items[warm]
        mean = trained.mean(dim=0)
        placed = items.clone()
        placed[rows] = mean_of_neighbours(trained - mean, mean, neighbour, share.to(items)).to(placed)
        return placed


def tables_of(model: "Recommender", dataset: Dataset) -> Embeddings:
    """The model's tables for a data set; see :class:`HeldOut`."""
    return HeldOut(model, dataset).tables(model)


def holds_out_items(interactions: Interactions) -> bool:
    """Whether validation and test are of items without a training pair alone, as the rule ``cold-items`` makes them."""
    wanted = interactions.of(Split.VALIDATION, Split.TEST)
    return len(wanted) > 0 and not interactions.of(Split.TRAIN).item_degree()[wanted.item].any()


def _held_out_users(interactions: Interactions) -> _Users | None:
    history = interactions.of(Split.HISTORY)
    history = history.take(interactions.of(Split.TRAIN).user_degree()[history.user] == 0)
    if not len(history):
        return None
    users, place = torch.from_numpy(history.user).unique(return_inverse=True)
    return _Users(users, CSR.pattern(place, torch.from_numpy(history.item), (len(users), interactions.n_items)))


def _held_out_items(dataset: Dataset, features: tuple[str, ...]) -> _Items | None:
    if not features or not set(features) <= set(dataset.feature_names):
        return None
    try:
        among = ContentNeighbours(dataset, features)
    except InputError:  # no item with a training pair has content: nothing to place others by
        return None
    cold = torch.nonzero(~among.warm)[:, 0]
    rows, neighbour, share = among.nearest(among.space.rows(cold))
    return _Items(cold[rows], among.items, neighbour, share)
