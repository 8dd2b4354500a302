r"""How different the items of a list are by their content.

The intra-list diversity of `Smyth & McClave, 2001 <https://doi.org/10.1007/3-540-44593-5_25>`_ is one minus the mean
cosine of all pairs in a list. With unit content vectors :math:`z_i` of its :math:`m` items that have content,

.. math::
    \text{Diversity@}K = 1 - \frac{\|\sum_i z_i\|^2 - \sum_i \|z_i\|^2}{m (m - 1)},

so neither items×items nor the pairs of a list are formed. 0 for a list with fewer than two items that have content.
"""

import torch.nn.functional as F
from torch import Tensor

from alignrec_geo.evaluation.metrics.base import Metric
from alignrec_geo.evaluation.metrics.ranking import RankedLists


def diversity(ranking: RankedLists, k: int) -> Tensor:
    """One minus the mean cosine of the contents of the first ``k`` items, ``[n]``."""
    content = ranking.catalogue.content
    assert content is not None  # the evaluator has seen to it
    items, listed = ranking.items[:, :k], ranking.listed[:, :k]
    together = F.embedding_bag(items, content, mode="sum", per_sample_weights=listed.to(content.dtype))  # [n, D]
    lengths = content.square().sum(dim=1).double()  # 1, or 0 without content
    own = (lengths[items] * listed).sum(dim=1)
    count = ((lengths > 0)[items] & listed).sum(dim=1)  # [n]
    cosine = (together.double().square().sum(dim=1) - own) / (count * (count - 1)).clamp(min=1)
    return (1.0 - cosine) * (count > 1)


DIVERSITY = Metric("diversity", diversity, needs_content=True)
