"""Batches in parts, each with a subgraph of its own, which ranks divide among themselves."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch_geometric.data import HeteroData

from alignrec_geo.distributed import current
from alignrec_geo.distributed.group import Group
from alignrec_geo.models.base import Batch
from alignrec_geo.randomness import child_generator, seeded
from alignrec_geo.training.subgraphs import SubgraphSampler


class Part(NamedTuple):
    """Some triplets of a batch, and the graph around them."""

    graph: HeteroData
    """A subgraph of :class:`~alignrec_geo.training.subgraphs.SubgraphSampler`."""
    batch: Batch
    """The triplets, in the numbers of its nodes."""


class PartedBatch(NamedTuple):
    """A batch with the subgraphs of this rank's parts."""

    batch: Batch
    """All triplets, in the numbers of the whole graph; the same on every rank."""
    parts: list[Part]
    """This rank's parts in their order; one without triplets is left out."""


class PartedSampler:
    """Divides every batch into as many parts whatever the number of ranks, and draws a subgraph around each.

    The triplets are those of training on the whole graph. The order of edges and the seed of every part follow from the
    generator, too, so all ranks agree on them, and what is drawn for a part does not depend on the rank that draws it.

    Args:
        subgraphs: draws triplets, and neighbours around them.
        count: parts of a batch, a multiple of the number of ranks.
    """

    def __init__(self, subgraphs: SubgraphSampler, count: int) -> None:
        self.subgraphs, self.count = subgraphs, count

    @property
    def steps(self) -> int:
        """Batches per epoch."""
        return self.subgraphs.steps

    def epoch(self, generator: torch.Generator) -> Iterator[PartedBatch]:
        """Draw one epoch and yield its batches."""
        seed = int(torch.randint(2**62, (1,), generator=generator.clone_state()))  # the triplets draw on as if alone
        draw = self.subgraphs.draws(child_generator(seed, "order of edges"))
        group = current()
        own = range(self.count) if group is None else range(*group.share(self.count))
        for number, batch in enumerate(self.subgraphs.triplets.epoch(generator)):
            shares = Group(0, self.count).shares(len(batch.users))
            parts = []
            for part in own:
                first, last = shares[part]
                if last > first:
                    users, positives, negatives = (column[first:last] for column in batch[:3])
                    piece = Batch(users, positives, negatives, batch.nominal_size)
                    with seeded(child_generator(seed, f"part {part} of batch {number}")):
                        parts.append(Part(*draw(piece)))
            yield PartedBatch(batch, parts)
