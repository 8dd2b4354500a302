"""Many scores of a model taken apart at once, for reports: identity and content on either side."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.explaining.explanation import PARTS, REST
from alignrec_geo.models.base import Recommender
from alignrec_geo.models.first_order import difference_branches
from alignrec_geo.typing import Int64


class BranchParts:
    r"""The parts of any scores of a model, from its two branches.

    With :math:`h_u = c_u + m_u + r_u` (identity, content, rest) and :math:`h_i` likewise, the parts of a score are
    :math:`c_u^\top c_i, c_u^\top m_i, m_u^\top c_i, m_u^\top m_i` and what is left of :math:`h_u^\top h_i`.

    Args:
        tables: what the model encodes to.
        identity: the part of both tables that is learned for ids.
        content: the part that depends on content.
        exact: whether the branches add up exactly; else they are derivatives.
    """

    names: Sequence[str] = (*PARTS, REST)

    def __init__(self, tables: Embeddings, identity: Embeddings, content: Embeddings, exact: bool) -> None:
        self.exact = exact
        self._whole, self._branches = tables, (identity, content)

    def of(self, users: Int64, items: Int64) -> NDArray[np.float64]:
        """The parts of some scores, ``[n, 5]``; a row's sum is the score.

        Args:
            users: rows of users, ``[n]``.
            items: rows of items, ``[n]``.
        """
        at_users, at_items = torch.from_numpy(users), torch.from_numpy(items)
        own = [table.users[at_users].double() for table in self._branches]
        other = [table.items[at_items].double() for table in self._branches]
        score = (self._whole.users[at_users].double() * self._whole.items[at_items].double()).sum(dim=1)
        parts = torch.stack([(a * b).sum(dim=1) for a in own for b in other], dim=1)  # [n, 4]
        return torch.cat([parts, (score - parts.sum(dim=1))[:, None]], dim=1).numpy()


def score_parts(model: Recommender) -> BranchParts | None:
    """What takes a model's scores apart; ``None`` where content has no part in them.

    Args:
        model: a trained model, on any device; it is left in the mode it was in.

    Example:
        >>> from alignrec_geo import AlignRec, make_catalogue
        >>> model = AlignRec.from_dataset(make_catalogue(n_users=60, n_items=40, image_size=16))
        >>> parts = score_parts(model).of(np.array([0, 1]), np.array([3, 4]))
        >>> tables = model.encode()
        >>> bool(np.allclose(parts.sum(axis=1), (tables.users[:2] * tables.items[3:5]).sum(dim=1).detach(), atol=1e-5))
        True
    """
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            tables, branches = model.encode(), model.branches()
            identity, content = difference_branches(model) if branches is None else branches
    except InputError:  # a model of somebody else's whose tables nobody can tell apart
        return None
    finally:
        model.train(training)
    if content is None:
        return None
    whole, own, other = (Embeddings(*(table.cpu() for table in pair)) for pair in (tables, identity, content))
    return BranchParts(whole, own, other, branches is not None)
