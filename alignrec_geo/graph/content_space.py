"""Where items are compared by their content, those of a data set and others."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from alignrec_geo.dataset.store import Dataset
from alignrec_geo.graph.modalities import Modality


class ContentSpace:
    r"""Content vectors whose dot product is the similarity, for the items of a data set and for others.

    With the feature matrices :math:`x^m` and their means :math:`\mu^m` over the known items that have them,

    .. math:: z_i = \Big[\frac{x^m_i - \mu^m}{\|x^m_i - \mu^m\|}\Big]_m, \qquad
        z_i^\top z_j = \sum_m \cos(x^m_i - \mu^m, x^m_j - \mu^m)

    Raw encoder vectors share a large common direction that hides their differences; that is why the mean is
    subtracted. A modality that one of the two lacks adds 0, as two unrelated items would: an item is not more similar
    because less is known of it.

    Args:
        dataset: with the matrices.
        features: which.
        known: the items that new ones are compared with, ``[I]`` bool.

    Attributes:
        means: of every matrix, over the known items that have it, ``[W]`` each.
    """

    def __init__(self, dataset: Dataset, features: Sequence[str], known: Tensor) -> None:
        self._parts: list[Modality] = []
        self.means: list[Tensor] = []
        for name in features:
            stored = dataset.features(name)
            part = Modality(name, torch.from_numpy(stored.matrix), torch.from_numpy(stored.present))
            of = part.present & known
            self._parts.append(part)
            self.means.append(part.x[of].sum(dim=0) / of.sum().clamp(min=1))

    @property
    def widths(self) -> dict[str, int]:
        """Width of every matrix."""
        return {part.name: part.x.shape[1] for part in self._parts}

    def rows(self, items: Tensor) -> Tensor:
        """The vectors of items of the data set, ``[n]`` int64 -> ``[n, D]``."""
        return self.place([Modality(part.name, part.x[items], part.present[items]) for part in self._parts])

    def place(self, parts: Sequence[Modality]) -> Tensor:
        """The vectors of any items, ``[n, D]``; zero for an item without content.

        Args:
            parts: one per matrix, in the order of the names: its rows and which items have one.
        """
        columns = []
        for part, mean in zip(parts, self.means, strict=True):
            columns.append(F.normalize(part.x - mean, dim=1) * part.present[:, None])
        return torch.cat(columns, dim=1)


def unit_content(data: Dataset) -> Tensor:
    """Return vectors of unit length of all features of a data set, ``[I, D]``; zero for an item without content."""
    n_items = data.interactions.n_items
    space = ContentSpace(data, data.feature_names, torch.ones(n_items, dtype=torch.bool))
    return F.normalize(space.rows(torch.arange(n_items)), dim=1)
