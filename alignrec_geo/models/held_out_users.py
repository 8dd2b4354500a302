"""Tables in which users whom nothing was trained of have what the model makes of their histories."""

from typing import TYPE_CHECKING

import torch

from alignrec_geo.dataset.interactions import Interactions, Split
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.kernels.csr import CSR

if TYPE_CHECKING:
    from alignrec_geo.models.base import Recommender


def tables_of(model: "Recommender", interactions: Interactions) -> Embeddings:
    """Return the model's tables; users with a history and no training pair (rule ``cold-users``) are folded in.

    So validation, test and recommendations see held-out users as they would see new ones.

    Args:
        model: the model.
        interactions: all pairs with their splits.
    """
    tables = model.embeddings()
    history = interactions.of(Split.HISTORY)
    history = history.take(interactions.of(Split.TRAIN).user_degree()[history.user] == 0)
    if not len(history):
        return tables
    users, place = torch.from_numpy(history.user).unique(return_inverse=True)
    histories = CSR.pattern(place, torch.from_numpy(history.item), (len(users), interactions.n_items))
    folded = tables.users.clone()
    folded[users.to(folded.device)] = model.fold_in(histories).to(folded)
    return Embeddings(folded, tables.items)
