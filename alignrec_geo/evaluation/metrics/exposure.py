r"""How evenly the items come into users' lists.

With :math:`c_i` users who have item :math:`i` among their :math:`K` first ones, sorted upwards:

.. math::
    \text{Coverage@}K = \tfrac1I \, |\{i : c_i > 0\}|, \qquad
    \text{Gini@}K = \frac{\sum_i (2i - I - 1) \, c_i}{I \sum_i c_i}

Coverage is the catalogue coverage of `Ge et al., 2010 <https://doi.org/10.1145/1864708.1864761>`_. Gini's coefficient
is 0 where every item is recommended equally often, and close to 1 where a few items are recommended to everybody.
"""

import torch
from torch import Tensor

from alignrec_geo.evaluation.metrics.base import CatalogueMetric


def coverage(counts: Tensor) -> Tensor:
    """The share of items that are recommended to anybody."""
    return (counts > 0).double().mean()


def gini(counts: Tensor) -> Tensor:
    """The inequality of how often items are recommended; 0 if none is."""
    n = len(counts)
    place = torch.arange(1 - n, n + 1, 2, dtype=torch.double, device=counts.device)  # 2i - n - 1
    ordered = counts.double().sort().values
    return (place * ordered).sum() / (n * ordered.sum().clamp(min=1.0))


COVERAGE = CatalogueMetric("coverage", coverage)
GINI = CatalogueMetric("gini", gini, higher_is_better=False)
