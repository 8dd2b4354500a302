r"""How popular the recommended items are.

With :math:`d_i` training interactions of item :math:`i`, :math:`U` users in training, the :math:`K` first items
:math:`L_u` of a user and the user's training items :math:`T_u`:

.. math::
    \text{Novelty@}K &= \tfrac{1}{|L_u|} \sum_{i \in L_u} -\log_2 \frac{\max(d_i, 1)}{U} \\
    \text{ARP@}K &= \tfrac{1}{|L_u|} \sum_{i \in L_u} d_i \\
    \text{PopularityLift@}K &= \frac{\text{ARP@}K}{\tfrac{1}{|T_u|} \sum_{i \in T_u} d_i} - 1

Novelty is the mean self-information of `Zhou et al., 2010 <https://doi.org/10.1073/pnas.1000488107>`_, ARP the average
recommendation popularity of `Yin et al., 2012 <https://doi.org/10.14778/2311906.2311916>`_. The lift, here one value
per user, follows `Abdollahpouri et al., 2020 <https://doi.org/10.1145/3383313.3418487>`_: above 0, a list is more
popular than what its user chose.
"""

from torch import Tensor

from alignrec_geo.evaluation.metrics.base import Metric
from alignrec_geo.evaluation.metrics.ranking import RankedLists


def novelty(ranking: RankedLists, k: int) -> Tensor:
    """Mean self-information of the first ``k`` items in bits, ``[n]``."""
    return ranking.mean_over_list(ranking.catalogue.information, k)


def average_popularity(ranking: RankedLists, k: int) -> Tensor:
    """Mean number of training interactions of the first ``k`` items, ``[n]``."""
    return ranking.mean_over_list(ranking.catalogue.popularity.double(), k)


def popularity_lift(ranking: RankedLists, k: int) -> Tensor:
    """How much more popular the list is than the user's training items, ``[n]``."""
    return average_popularity(ranking, k) / ranking.catalogue.profile_popularity[ranking.users] - 1.0


NOVELTY = Metric("novelty", novelty)
ARP = Metric("arp", average_popularity, higher_is_better=False)
POPULARITY_LIFT = Metric("popularity_lift", popularity_lift, higher_is_better=False)
