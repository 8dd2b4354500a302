"""The items that are ranked for a user."""

from dataclasses import dataclass

import torch
from torch import Tensor

from alignrec_geo.dataset.interactions import Split
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.serving.cold import ColdItems


@dataclass(frozen=True)
class Candidates:
    """Items with all that a ranking of them needs.

    Args:
        ids: external ids, ``n`` of them.
        titles: where known.
        vectors: ``[n, d]``.
        cold: which have no training interaction, ``[n]`` bool.
        by_content: which have a vector from their content, ``[n]`` bool.
        seen: what each user has interacted with in any split, ``[U, n]``.
    """

    ids: list[str]
    titles: list[str | None]
    vectors: Tensor
    cold: Tensor
    by_content: Tensor
    seen: CSR

    @classmethod
    def trained(cls, embeddings: Embeddings, dataset: Dataset) -> "Candidates":
        """The items of a data set, by the trained table."""
        pairs = dataset.interactions
        user, item = torch.from_numpy(pairs.user), torch.from_numpy(pairs.item)
        cold = torch.from_numpy(pairs.of(Split.TRAIN).item_degree() == 0)
        return cls(
            dataset.items["id"].to_list(),
            dataset.items["title"].to_list(),
            embeddings.items,
            cold,
            torch.zeros_like(cold),
            CSR.pattern(user, item, (pairs.n_users, pairs.n_items)),
        )

    def with_cold(self, items: ColdItems) -> "Candidates":
        """With the vectors of cold items: in place of those that are here, and after them for the others.

        Raises:
            InputError: the vectors have another width, or one is of an item that has training interactions.
        """
        if items.vectors.shape[1] != self.vectors.shape[1]:
            raise InputError(
                f"vectors of cold items are {items.vectors.shape[1]} wide, the tables {self.vectors.shape[1]}"
            )
        row_of = {name: row for row, name in enumerate(self.ids)}
        own = [place for place, name in enumerate(items.ids) if name in row_of]
        new = [place for place, name in enumerate(items.ids) if name not in row_of]
        rows = torch.tensor([row_of[items.ids[place]] for place in own], dtype=torch.long)
        if not self.cold[rows].all():
            known = items.ids[own[int((~self.cold[rows]).nonzero()[0, 0])]]
            raise InputError(f"item '{known}' has training interactions; it is not cold")
        vectors = self.vectors.clone()
        vectors[rows] = items.vectors[own]
        by_content = self.by_content.clone()
        by_content[rows] = True
        edges, _ = self.seen.edges()
        return Candidates(
            [*self.ids, *(items.ids[place] for place in new)],
            [*self.titles, *(items.titles[place] for place in new)],
            torch.cat([vectors, items.vectors[new]]),
            torch.cat([self.cold, torch.ones(len(new), dtype=torch.bool)]),
            torch.cat([by_content, torch.ones(len(new), dtype=torch.bool)]),
            CSR.pattern(edges[1], edges[0], (self.seen.shape[0], len(self.ids) + len(new))),
        )
