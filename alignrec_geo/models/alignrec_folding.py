"""Users whom AlignRec was not trained on, branch by branch."""

from typing import TYPE_CHECKING

import torch

from alignrec_geo.models.fold_in import propagated_folding, root_degree
from alignrec_geo.nn.hetero_encoder import HeteroEncoder
from alignrec_geo.serving.folding import Folding

if TYPE_CHECKING:
    from alignrec_geo.models.alignrec import AlignRec


def folded_branches(model: "AlignRec") -> list[Folding] | None:
    r"""Return the rule of each branch by which a new user gets a row, identity first.

    The identity branch is a propagation (:func:`~alignrec_geo.models.fold_in.propagated_folding`); the content branch
    is one step over the items' finished rows, :math:`m_u = \tfrac{1}{\sqrt{|\mathcal N|}} \sum_{i \in \mathcal N}
    m_i / \sqrt{d_i}`, which is exact.

    Args:
        model: trained.

    Returns:
        One rule, or two where there are features; ``None`` where a branch is not a plain propagation: layers of one's
        own lead to users, or pairs are weighted.
    """
    plain = not isinstance(model.user_item, HeteroEncoder) and model.user_item.plain and model.pair_weight is None
    if not plain or (model.features and not model.to_users.plain):
        return None
    table, own = torch.cat([model.user_embedding, model.item_embedding]), model.own_rows(model.user_embedding)
    identity = propagated_folding(model.user_item_graph, table, model.config.layers, model.n_users, own)
    if not model.features:
        return [identity]
    root = root_degree(model.user_item_graph, model.n_users)
    return [identity, Folding(model._content_views()[1] * root, "root")]
