"""The loss of a batch whose rows come from the subgraphs of its parts."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from alignrec_geo.distributed import all_rows
from alignrec_geo.distributed.row_table import RowTable
from alignrec_geo.kernels.gather import gather_rows
from alignrec_geo.models.on_subgraph import SampledModel, on_subgraph
from alignrec_geo.training.sampled.parts import Part, PartedBatch

TABLES = ("user_embedding", "item_embedding")


class SampledLoss:
    """Reads the tables' rows of this rank's subgraphs, propagates there, and computes the terms of the whole batch.

    Ranks meet twice: where rows are looked up, of which each sends what the others ask for, and where the batch's rows
    are put together, so that every rank computes the same terms from all triplets: losses that compare a batch's rows
    with each other see all of them.

    Args:
        model: the model of the whole graph; its own tables are read where there is no ``table``.
        table: users' and items' rows one after the other, on several ranks.
    """

    def __init__(self, model: SampledModel, table: RowTable | None = None) -> None:
        self.model, self.table = model, table

    def __call__(self, parted: PartedBatch) -> dict[str, Tensor]:
        """Return the weighted terms of a batch by name."""
        local = self._rows(parted.parts)
        layout, own = self.model.batch_layout, []
        for part, rows in zip(parted.parts, local, strict=True):
            restricted = on_subgraph(self.model, part.graph, rows)
            own.append(_by_triplet([gather_rows(*each) for each in restricted.wanted(part.batch)], layout))
        own.append(self.model.user_embedding.new_empty(0, sum(layout), self.model.config.dim))  # perhaps there is no part
        whole = all_rows(torch.cat(own), len(parted.batch.users))
        return self.model.terms(parted.batch, _by_table(whole, layout))

    def _rows(self, parts: Sequence[Part]) -> list[Mapping[str, Tensor]]:
        """The rows of the nodes of every part, read by one lookup in each table."""
        model, kinds = self.model, ("user", "item")
        numbers = {kind: [part.graph[kind].n_id for part in parts] for kind in kinds}
        sizes = {kind: [len(part) for part in numbers[kind]] for kind in kinds}
        asked = {kind: torch.cat([*numbers[kind], torch.empty(0, dtype=torch.long)]) for kind in kinds}
        if self.table is None:
            found = [gather_rows(getattr(model, name), asked[kind]) for name, kind in zip(TABLES, kinds, strict=True)]
        else:
            both = self.table(torch.cat([asked["user"], asked["item"] + model.n_users]))
            found = list(both.split([len(asked[kind]) for kind in kinds]))
        pieces = [rows.split(sizes[kind]) for rows, kind in zip(found, kinds, strict=True)]
        return [dict(zip(TABLES, rows, strict=True)) for rows in zip(*pieces, strict=True)]


def _by_triplet(tables: Sequence[Tensor], layout: Sequence[int]) -> Tensor:
    """From ``[k_1 n, d]``, ``[k_2 n, d]``, … to ``[n, k_1 + k_2 + …, d]``."""
    rows = [table.view(each, -1, table.shape[1]) for table, each in zip(tables, layout, strict=True)]
    return torch.cat(rows).transpose(0, 1)


def _by_table(triplets: Tensor, layout: Sequence[int]) -> list[Tensor]:
    """The way back."""
    return [rows.flatten(0, 1) for rows in triplets.transpose(0, 1).split(list(layout))]
