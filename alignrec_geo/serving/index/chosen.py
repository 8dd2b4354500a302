"""Whether a request is answered by the index or exactly."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from alignrec_geo.serving.index.ranking import IndexRanking
from alignrec_geo.serving.index.search import ItemIndex
from alignrec_geo.serving.ranking import Ranking
from alignrec_geo.typing import Int64

FEW = 20_000
"""So many allowed items or fewer are ranked exactly, whatever the index: that takes some milliseconds."""
SHARE = 0.05
"""So large a part of the items likewise: an index has to go through many lists for them, and is no faster."""


def chosen_ranking(
    index: ItemIndex | None,
    users: Tensor,
    items: Tensor,
    allowed: Int64 | None = None,
    other: NDArray[np.bool_] | None = None,
) -> Ranking | IndexRanking:
    """Return what ranks the allowed items: exactly without an index or where they are few, else by the index.

    An index finds little among few allowed items: they are spread over lists that nobody looks through.

    Args:
        index: of the items, if there is one.
        users: ``[U, D]``.
        items: ``[n, D]``.
        allowed: rows of the items that may be ranked; ``None`` for all.
        other: which items have another vector than the index has.
    """
    if index is None or (allowed is not None and len(allowed) <= max(FEW, SHARE * len(items))):
        return Ranking(users, items, allowed)
    return IndexRanking(index, users, items, allowed, None if other is None or not other.any() else other)
