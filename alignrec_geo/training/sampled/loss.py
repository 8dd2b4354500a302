"""The loss of a batch whose rows come from the subgraphs of its parts."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from alignrec_geo.distributed import all_rows
from alignrec_geo.distributed.row_table import RowTable
from alignrec_geo.kernels.gather import gather_rows
from alignrec_geo.models.on_subgraph import SampledModel, on_subgraph
from alignrec_geo.training.sampled.parts import PartedBatch

IDS = (("user", "user_embedding"), ("item", "item_embedding"))
"""The tables of identities, by the type of their nodes."""


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
        numbers = {kind: [part.graph[kind].n_id for part in parted.parts] for kind in ("user", "item")}
        found = self._found({kind: _joined(each) for kind, each in numbers.items()})
        rows: list[dict[str, Tensor]] = [{} for _ in parted.parts]
        for (kind, name), table in found.items():
            for of_part, piece in zip(rows, table.split([len(each) for each in numbers[kind]]), strict=True):
                of_part[name] = piece
        layout = self.model.batch_layout
        # of a small batch a rank may have no part; its backward must yet send and take gradients
        own = [found[IDS[0]][:0, None].expand(-1, sum(layout), -1)]
        for part, tables in zip(parted.parts, rows, strict=True):
            restricted = on_subgraph(self.model, part.graph, tables)
            own.append(_by_triplet([gather_rows(*each) for each in restricted.wanted(part.batch)], layout))
        whole = all_rows(torch.cat(own), len(parted.batch.users))
        return self.model.terms(parted.batch, _by_table(whole, layout))

    def _found(self, asked: Mapping[str, Tensor]) -> dict[tuple[str, str], Tensor]:
        """Rows of each table, by the type of its nodes and its name: one lookup for all parts."""
        model = self.model
        if self.table is None:
            names = [*IDS, *([("item", "content")] if model.features else [])]
            return {(kind, name): gather_rows(getattr(model, name), asked[kind]) for kind, name in names}
        both = self.table(torch.cat([asked["user"], asked["item"] + model.n_users]))
        return dict(zip(IDS, both.split([len(asked[kind]) for kind, _ in IDS]), strict=True))


def _joined(numbers: Sequence[Tensor]) -> Tensor:
    return torch.cat([*numbers, torch.empty(0, dtype=torch.long)])


def _by_triplet(tables: Sequence[Tensor], layout: Sequence[int]) -> Tensor:
    """From ``[k_1 n, d]``, ``[k_2 n, d]``, … to ``[n, k_1 + k_2 + …, d]``."""
    rows = [table.view(each, -1, table.shape[1]) for table, each in zip(tables, layout, strict=True)]
    return torch.cat(rows).transpose(0, 1)


def _by_table(triplets: Tensor, layout: Sequence[int]) -> list[Tensor]:
    """The way back."""
    return [rows.flatten(0, 1) for rows in triplets.transpose(0, 1).split(list(layout))]
