"""One score, taken apart: exactly where a model is a sum and its propagation linear, by derivatives elsewhere."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from alignrec_geo.embeddings import Embeddings
from alignrec_geo.models.base import Recommender
from alignrec_geo.models.contributions import BIAS, CONTENT, ITEMS, OWN, SOURCES, USERS, UserPaths
from alignrec_geo.models.first_order import difference_branches, node_contributions

OWN_VECTORS, SIMILAR_USERS, OTHER_USERS, OTHER_ITEMS = "own vectors", "similar users", "other users", "other items"
"""What a score may come from beside past items."""


class History(NamedTuple):
    """A score over past items."""

    items: Tensor
    """Rows of the past items, ``[C]`` int64."""
    carried: Tensor
    """What each of them brings, ``[C, 2]`` float64: of identity and of content."""
    elsewhere: dict[str, float]
    """What none of them brings, by name."""
    sources: Tensor
    """The same score by :data:`~alignrec_geo.models.contributions.SOURCES`, ``[5]`` float64."""


@dataclass(frozen=True)
class Attribution:
    """Where one score comes from.

    Args:
        score: the score.
        parts: ``[3, 3]`` float64: rows are the user's identity, content and rest (biases, and what derivatives leave
            over), columns the item's; the sum is the score.
        history: the score over past items.
        exact_parts: whether ``parts`` is exact.
        exact_history: whether ``history`` is.
    """

    score: float
    parts: Tensor
    history: History
    exact_parts: bool
    exact_history: bool

    @property
    def remainder(self) -> float:
        """The score less all of ``history``: rounding if that is exact, else what is not of first order."""
        return self.score - float(self.history.carried.sum()) - sum(self.history.elsewhere.values())


@torch.no_grad()
def attribute(model: Recommender, tables: Embeddings, user: int, item: int, history: Tensor) -> Attribution:
    r"""Take the score of an item for a user apart.

    With both vectors as sums of branches, :math:`h_u = \sum_a u_a` and :math:`h_i = \sum_b v_b`, the score is
    :math:`\sum_{a,b} u_a^\top v_b`. With the user's vector as a sum over past items :math:`j` and sources :math:`s`
    (see :func:`~alignrec_geo.nn.paths.paths_to`) it is :math:`\sum_{j,s} u_{js}^\top h_i`. Where a model does not give
    these sums, :math:`u_a, v_b` are derivatives along the identities and along the content, and past items count with
    gradient × input of their own rows; see :mod:`alignrec_geo.models.first_order`.

    Args:
        model: the model, in evaluation mode.
        tables: what it encodes to.
        user: row of the user.
        item: row of the item.
        history: rows of the user's training items, ``[C]`` int64.
    """
    whole = tables.users[user].double(), tables.items[item].double()
    branches = model.branches()
    identity, content = difference_branches(model) if branches is None else branches
    users, items = _split(whole[0], identity, content, 0, user), _split(whole[1], identity, content, 1, item)
    paths = model.user_paths(user)
    found = _by_gradients(model, user, whole[1], history) if paths is None else _by_paths(paths, whole[1])
    score = float(whole[0] @ whole[1])
    return Attribution(score, users @ items.T, found, branches is not None, paths is not None)


def _split(whole: Tensor, identity: Embeddings, content: Embeddings | None, side: int, row: int) -> Tensor:
    """Identity, content and rest of one vector, ``[3, D]`` float64; ``side`` 0 is a user, 1 an item."""
    own = identity[side][row].double()
    given = torch.zeros_like(own) if content is None else content[side][row].double()
    return torch.stack([own, given, whole - own - given])


def _by_paths(paths: UserPaths, vector: Tensor) -> History:
    scores = paths.pieces.double() @ vector  # [1 + C, S]
    direct, over, sources = scores[0], scores[1:], scores.sum(dim=0)
    carried = torch.stack([over[:, : ITEMS + 1].sum(dim=1), over[:, CONTENT]], dim=1)
    elsewhere = {OWN_VECTORS: float(direct[OWN])}
    if paths.similar_users is not None:
        similar = paths.similar_users.double() @ vector
        elsewhere[SIMILAR_USERS] = float(similar.sum())
        sources = sources + similar
    if direct[BIAS] != 0.0:
        elsewhere["bias"] = float(direct[BIAS])
    return History(paths.items, carried, elsewhere, sources)


def _by_gradients(model: Recommender, user: int, vector: Tensor, history: Tensor) -> History:
    by_user, by_item = node_contributions(model, user, vector)
    carried = by_item[history]
    own, users, items = by_user[user], by_user.sum(dim=0), by_item.sum(dim=0)
    elsewhere = {
        OWN_VECTORS: float(own.sum()),
        OTHER_USERS: float((users - own).sum()),
        OTHER_ITEMS: float((items - carried.sum(dim=0)).sum()),
    }
    sources = vector.new_zeros(len(SOURCES))
    sources[OWN], sources[USERS], sources[ITEMS] = own[0], users[0] - own[0], items[0]
    sources[CONTENT] = users[1] + items[1]
    return History(history, carried, elsewhere, sources)
