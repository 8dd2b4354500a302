"""The items that are ranked for a user."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from alignrec_geo.dataset.interactions import Split
from alignrec_geo.dataset.rows_by_id import RowsById
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.serving.cold import ColdItems


@dataclass(frozen=True)
class Candidates:
    """Items with all that a ranking of them needs.

    Args:
        table: one row per item, ``n`` of them: ``id``, ``title`` and whatever else is known; null for what is not.
        vectors: ``[n, d]``.
        popularity: training interactions of each, ``[n]`` float32.
        by_content: which have a vector from their content, ``[n]`` bool.
    """

    table: pl.DataFrame
    vectors: Tensor
    popularity: Tensor
    by_content: NDArray[np.bool_]

    @classmethod
    def trained(cls, embeddings: Embeddings, dataset: Dataset) -> "Candidates":
        """The items of a data set, by the trained table."""
        degree = dataset.interactions.of(Split.TRAIN).item_degree()
        return cls(
            dataset.items,
            embeddings.items,
            torch.from_numpy(degree).to(embeddings.items),
            np.zeros(len(degree), dtype=np.bool_),
        )

    def __len__(self) -> int:
        return len(self.vectors)

    def with_cold(self, items: ColdItems) -> "Candidates":
        """With the vectors of cold items: in place of those that are here, and after them for the others.

        Raises:
            InputError: the vectors have another width, or one is of an item that has training interactions.
        """
        if items.vectors.shape[1] != self.vectors.shape[1]:
            raise InputError(
                f"vectors of cold items are {items.vectors.shape[1]} wide, the tables {self.vectors.shape[1]}"
            )
        given = pl.Series(items.ids, dtype=pl.String)
        row = self.rows.many(given)
        own, new = np.flatnonzero(row >= 0), np.flatnonzero(row < 0)
        warm = (self.popularity > 0).cpu().numpy()[row[own]]
        if warm.any():
            raise InputError(f"item '{given[int(own[warm.argmax()])]}' has training interactions; it is not cold")
        vectors = self.vectors.clone()
        vectors[torch.from_numpy(row[own])] = items.vectors[own].to(vectors)
        by_content = self.by_content.copy()
        by_content[row[own]] = True
        titles = pl.Series(items.titles, dtype=pl.String)
        return Candidates(
            pl.concat([self.table, pl.DataFrame({"id": given[new], "title": titles[new]})], how="diagonal"),
            torch.cat([vectors, items.vectors[new].to(vectors)]),
            torch.cat([self.popularity, self.popularity.new_zeros(len(new))]),
            np.concatenate([by_content, np.ones(len(new), dtype=np.bool_)]),
        )

    def and_beyond(self, others: "Candidates") -> "Candidates":
        """These, and after them what comes in ``others`` after as many rows."""
        size = len(self)
        return Candidates(
            pl.concat([self.table, others.table[size:]], how="diagonal"),
            torch.cat([self.vectors, others.vectors[size:]]),
            torch.cat([self.popularity, others.popularity[size:]]),
            np.concatenate([self.by_content, others.by_content[size:]]),
        )

    @cached_property
    def rows(self) -> RowsById:
        """Their row numbers by external id."""
        return RowsById(self.table["id"])

    @cached_property
    def cold(self) -> NDArray[np.bool_]:
        """Which have no training interaction, ``[n]``; of tables that came without any, those ranked by content."""
        if not self.popularity.any():  # shared without users: nobody knows
            return self.by_content
        none: NDArray[np.bool_] = (self.popularity == 0).cpu().numpy()
        return none

    @cached_property
    def names(self) -> list[tuple[str, str | None]]:
        """External id and title of each, where single ones are looked up."""
        return list(zip(self.table["id"].to_list(), self.table["title"].to_list(), strict=True))

    @cached_property
    def unit_vectors(self) -> Tensor:
        """The vectors at length 1, whose products are cosines: ``[n, d]``."""
        return F.normalize(self.vectors, dim=1)
