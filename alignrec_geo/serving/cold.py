"""Vectors for items that no model was trained on, from their content alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from alignrec_geo.dataset.interactions import Split
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.graph.content_space import ContentSpace
from alignrec_geo.graph.modalities import Modality, feature_list
from alignrec_geo.kernels.topk import blocked_top_k
from alignrec_geo.serving.asked import asked_count

UNLIKE = 1e-6
"""The least similarity that counts: an item unlike all others gets the plain mean of its neighbours."""


@dataclass(frozen=True)
class ColdItems:
    """Items without a training interaction, with vectors of a run's space.

    Args:
        ids: external ids; some may be items of the data set, others unknown to it.
        titles: where known.
        vectors: ``[n, d]``.
    """

    ids: list[str]
    titles: list[str | None]
    vectors: Tensor

    def __len__(self) -> int:
        return len(self.ids)

    def __add__(self, other: "ColdItems") -> "ColdItems":
        """Both, one after the other."""
        return ColdItems(
            [*self.ids, *other.ids], [*self.titles, *other.titles], torch.cat([self.vectors, other.vectors])
        )


class NeighbourMean:
    r"""Gives an item the mean of its content neighbours, as AlignRec's item graph would.

    Among the warm items (those with a training interaction), with trained vectors :math:`h_j` and mean :math:`\mu`,
    take the ``k`` nearest :math:`\mathcal N(i)` by content (:class:`~alignrec_geo.graph.content_space.ContentSpace`)
    and their similarities :math:`s_{ij}`, negative ones counted as zero:

    .. math::
        v_i = \sum_{j \in \mathcal N(i)} a_{ij} (h_j - \mu), \quad a_{ij} = \frac{s_{ij}}{\sum_{j'} s_{ij'}}, \qquad
        h_i = \mu + \frac{v_i}{\|v_i\|} \sum_{j \in \mathcal N(i)} a_{ij} \|h_j - \mu\|

    A mean of vectors lies closer to the middle than the vectors do. The best of a ranking are far from the middle, so
    without the last step hardly any cold item would be among them. The items×items matrix is never formed.

    Args:
        embeddings: the trained tables.
        dataset: the data set they were trained on, with its feature matrices.
        features: names of the matrices to compare by.
        k: neighbours per item.

    Attributes:
        space: where items are compared.
        content: of the warm items that have some, in that space, ``[w, D']``.
        offsets: their trained vectors less :attr:`mean`, ``[w, d]``.
        mean: :math:`\mu`, ``[d]``.

    Raises:
        InputError: no features to compare by, ``k`` below 1, or no warm item has content.
    """

    def __init__(self, embeddings: Embeddings, dataset: Dataset, features: Sequence[str], k: int = 10) -> None:
        features = feature_list(features) or []
        if not features:
            raise InputError("a model without features knows nothing of new items; train with features=")
        self._dataset, self.k = dataset, asked_count(k)
        self._warm = torch.from_numpy(dataset.interactions.of(Split.TRAIN).item_degree() > 0)
        self.space = ContentSpace(dataset, features, self._warm)
        rows = torch.nonzero(self._warm)[:, 0]
        content = self.space.rows(rows)
        usable = (content != 0).any(dim=1)
        if not usable.any():
            raise InputError(
                f"no item of data set '{dataset.name}' has both a training interaction and any of the features "
                f"{', '.join(features)}"
            )
        vectors = embeddings.items[rows[usable]]
        self.mean = vectors.mean(dim=0)
        self.content, self.offsets = content[usable], vectors - self.mean

    def __call__(self, content: Tensor) -> tuple[Tensor, Tensor]:
        """Return the vectors ``[n, d]`` of items with content vectors ``[n, D]``, and which of them have content."""
        known = (content != 0).any(dim=1)
        vectors = torch.zeros(len(content), len(self.mean))
        length = self.offsets.norm(dim=1)
        rows = torch.nonzero(known)[:, 0]
        for chosen, similarity, neighbour in blocked_top_k(content, self.content, rows, self.k) if len(rows) else ():
            weight = F.normalize(similarity.clamp(min=UNLIKE), p=1, dim=1)  # [b, k]
            offset = torch.einsum("bk,bkd->bd", weight, self.offsets[neighbour])
            distance = (weight * length[neighbour]).sum(dim=1, keepdim=True)
            vectors[chosen] = self.mean + F.normalize(offset, dim=1) * distance
        return vectors, known

    def new(self, ids: Sequence[str], titles: Sequence[str | None], parts: Sequence[Modality]) -> ColdItems:
        """Items that the data set does not know; those without any content are left out.

        Args:
            ids: external ids.
            titles: where known.
            parts: their rows of the matrices, in the order of the names.
        """
        return _kept(ids, titles, *self(self.space.place(parts)))

    def own(self) -> ColdItems:
        """The data set's items without a training interaction; those without any content are left out."""
        rows = torch.nonzero(~self._warm)[:, 0]
        items = self._dataset.items[rows.numpy()]
        return _kept(items["id"].to_list(), items["title"].to_list(), *self(self.space.rows(rows)))


def _kept(ids: Sequence[str], titles: Sequence[str | None], vectors: Tensor, known: Tensor) -> ColdItems:
    rows = torch.nonzero(known)[:, 0].tolist()
    return ColdItems([ids[row] for row in rows], [titles[row] for row in rows], vectors[rows])
