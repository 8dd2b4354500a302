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

BLOCK = 4096
"""Items whose neighbours' vectors are held at a time."""
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


class ContentNeighbours:
    r"""The warm items (those with a training interaction) nearest to others by content, and how much each counts.

    They are the ``k`` nearest :math:`\mathcal N(i)` in the :class:`~alignrec_geo.graph.content_space.ContentSpace`,
    with shares :math:`a_{ij} = s_{ij} / \sum_{j'} s_{ij'}` of their similarities; negative ones count as zero. They do
    not depend on what is trained. The items×items matrix is never formed.

    Args:
        dataset: with its feature matrices.
        features: names of the matrices to compare by.
        k: neighbours per item.

    Attributes:
        space: where items are compared.
        warm: which items have a training interaction, ``[I]`` bool.
        items: the warm items that have content, ``[w]``.
        content: theirs in that space, ``[w, D']``.

    Raises:
        InputError: no features to compare by, ``k`` below 1, or no warm item has content.
    """

    def __init__(self, dataset: Dataset, features: Sequence[str], k: int = 10) -> None:
        features = feature_list(features) or []
        if not features:
            raise InputError("a model without features knows nothing of new items; train with features=")
        self.k = asked_count(k)
        self.warm = torch.from_numpy(dataset.interactions.of(Split.TRAIN).item_degree() > 0)
        self.space = ContentSpace(dataset, features, self.warm)
        rows = torch.nonzero(self.warm)[:, 0]
        content = self.space.rows(rows)
        usable = (content != 0).any(dim=1)
        if not usable.any():
            raise InputError(
                f"no item of data set '{dataset.name}' has both a training interaction and any of the features "
                f"{', '.join(features)}"
            )
        self.items, self.content = rows[usable], content[usable]

    def nearest(self, content: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of content vectors ``[n, D']``: rows that have content ``[m]``, rows of :attr:`items`, shares ``[m, k]``."""
        rows = torch.nonzero((content != 0).any(dim=1))[:, 0]
        k = min(self.k, len(self.items))
        neighbour, share = torch.zeros(len(rows), k, dtype=torch.long), torch.zeros(len(rows), k)
        done = 0
        for chosen, similarity, found in blocked_top_k(content, self.content, rows, k) if len(rows) else ():
            part = slice(done, done + len(chosen))
            neighbour[part], share[part] = found, F.normalize(similarity.clamp(min=UNLIKE), p=1, dim=1)
            done += len(chosen)
        return rows, neighbour, share


def mean_of_neighbours(offsets: Tensor, mean: Tensor, neighbour: Tensor, share: Tensor) -> Tensor:
    """The formula of :class:`NeighbourMean`, ``[m, d]``.

    Args:
        offsets: trained vectors of warm items less their mean, ``[w, d]``.
        mean: ``[d]``.
        neighbour: rows of them, ``[m, k]``.
        share: ``[m, k]``, each row sums to 1.
    """
    length = offsets.norm(dim=1)
    blocks = []
    for found, part in zip(neighbour.split(BLOCK), share.split(BLOCK), strict=True):
        offset = torch.einsum("bk,bkd->bd", part, offsets[found])
        distance = (part * length[found]).sum(dim=1, keepdim=True)
        blocks.append(mean + F.normalize(offset, dim=1) * distance)
    return torch.cat(blocks)


class NeighbourMean:
    r"""Gives an item the mean of its content neighbours, as AlignRec's item graph would.

    With the trained vectors :math:`h_j` of the warm items, their mean :math:`\mu`, and the neighbours
    :math:`\mathcal N(i)` of an item with their shares :math:`a_{ij}` (:class:`ContentNeighbours`):

    .. math::
        v_i = \sum_{j \in \mathcal N(i)} a_{ij} (h_j - \mu), \qquad
        h_i = \mu + \frac{v_i}{\|v_i\|} \sum_{j \in \mathcal N(i)} a_{ij} \|h_j - \mu\|

    A mean of vectors lies closer to the middle than the vectors do. The best of a ranking are far from the middle, so
    without the last step hardly any cold item would be among them.

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
        self._dataset, self._among = dataset, ContentNeighbours(dataset, features, k)
        self.k, self.space, self.content = self._among.k, self._among.space, self._among.content
        vectors = embeddings.items[self._among.items]
        self.mean = vectors.mean(dim=0)
        self.offsets = vectors - self.mean

    def __call__(self, content: Tensor) -> tuple[Tensor, Tensor]:
        """Return the vectors ``[n, d]`` of items with content vectors ``[n, D]``, and which of them have content."""
        rows, neighbour, share = self._among.nearest(content)
        vectors = torch.zeros(len(content), len(self.mean))
        vectors[rows] = mean_of_neighbours(self.offsets, self.mean, neighbour, share)
        return vectors, (content != 0).any(dim=1)

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
        rows = torch.nonzero(~self._among.warm)[:, 0]
        items = self._dataset.items[rows.numpy()]
        return _kept(items["id"].to_list(), items["title"].to_list(), *self(self.space.rows(rows)))


def _kept(ids: Sequence[str], titles: Sequence[str | None], vectors: Tensor, known: Tensor) -> ColdItems:
    rows = torch.nonzero(known)[:, 0].tolist()
    return ColdItems([ids[row] for row in rows], [titles[row] for row in rows], vectors[rows])
