"""Training triplets with the part of the graph around them, sampled by PyG's ``LinkNeighborLoader``."""

import copy
import warnings
from collections.abc import Callable, Iterator, Sequence

import torch
import torch_geometric.typing
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.loader import LinkNeighborLoader
from torch_geometric.sampler import EdgeSamplerInput

from alignrec_geo.errors import InputError
from alignrec_geo.graph.checks import INTERACTS, check_graph, node_count
from alignrec_geo.graph.hetero import REVERSE, find_edge_type, relation_graph
from alignrec_geo.models.base import Batch
from alignrec_geo.randomness import seeded
from alignrec_geo.training.sampling import TripletSampler


class SubgraphSampler:
    r"""Yields every batch of triplets with a sampled subgraph around its users and items.

    From each node at most :math:`k_h` edges of every type are followed backwards in hop :math:`h`, drawn without
    replacement; every edge has the same chance. So ``L`` layers need ``L`` hops, and compute the same rows of the
    batch's nodes as on the whole graph if all neighbours are taken.

    Weights are those of the **whole** graph (see :func:`~alignrec_geo.graph.hetero.relation_graph`): degrees within a
    subgraph would say how many neighbours were drawn. Where some were left out, the drawn ones stand for them:

    .. math::
        w'_{st} = \frac{d_t}{k_t}\, w_{st}, \qquad
        \mathbb E \sum_{s\, \text{drawn}} w'_{st}\, \mathbf x_s = \sum_{s \in \mathcal N(t)} w_{st}\, \mathbf x_s

    with :math:`d_t` edges of the type into node ``t``, of which :math:`k_t` were drawn.

    Args:
        data: the graph (see :func:`alignrec_geo.graph.to_hetero`), with any further node and edge types. Messages reach
            the batch's users only over edges that lead to users, so both directions are needed.
        triplets: draws the triplets, as in training on the whole graph.
        num_neighbors: :math:`k_h` for each hop; -1 takes all.
        workers: processes that sample ahead; 0 samples in this one.

    Raises:
        InputError: neither pyg-lib nor torch-sparse is installed, ``num_neighbors`` is empty or holds something else
            than -1 or numbers of at least 1, or the graph lacks a direction of the interactions.

    Attributes:
        graph: the whole graph in the form of a subgraph, so that what takes one can be run on all nodes.
    """

    def __init__(
        self, data: HeteroData, triplets: TripletSampler, num_neighbors: Sequence[int], workers: int = 0
    ) -> None:
        require_sampling()
        if (
            isinstance(num_neighbors, int)
            or not num_neighbors
            or any(not isinstance(count, int) or (count != -1 and count < 1) for count in num_neighbors)
        ):
            raise InputError(
                f"num_neighbors must hold -1 (all) or a number of at least 1 for each hop (got {num_neighbors!r:.80})"
            )
        check_graph(data, type(self).__name__)
        for edge_type in (INTERACTS, REVERSE):
            find_edge_type(data, edge_type)
        self.triplets, self.num_neighbors, self.workers = triplets, list(num_neighbors), workers
        self.graph = _weighted(data)
        self.graph.hops = len(self.num_neighbors)

    @property
    def steps(self) -> int:
        """Batches per epoch."""
        return self.triplets.steps

    def epoch(self, generator: torch.Generator) -> Iterator[tuple[HeteroData, Batch]]:
        """Draw one epoch and yield a subgraph and its batch at a time.

        The triplets are those that ``triplets.epoch(generator)`` yields. A subgraph's nodes have new numbers, and so
        has the batch; ``n_id`` of a node type holds the old ones. Edges of every type carry ``edge_weight``.
        """
        batches = list(self.triplets.epoch(generator))
        ends = [_ends(batch) for batch in batches]
        loader = self._loader(generator, torch.cat(ends, dim=1), 2 * self.triplets.batch_size, self.workers)
        parts = iter(loader)
        for batch in batches:
            with seeded(generator):  # without workers the neighbours come from the global generator
                part = next(parts)
            yield _numbered(part, batch)

    def draws(self, generator: torch.Generator) -> Callable[[Batch], tuple[HeteroData, Batch]]:
        """Return what draws a subgraph around triplets from the global generator, as :meth:`epoch` does.

        Args:
            generator: decides the order of the edges; for an epoch, as every order favours some of a node's edges.
        """

        loader = self._loader(generator, torch.zeros(2, 1, dtype=torch.long), 1, 0)

        def draw(batch: Batch) -> tuple[HeteroData, Batch]:
            ends = EdgeSamplerInput(None, *_ends(batch), input_type=INTERACTS)
            return _numbered(loader.filter_fn(loader.link_sampler.sample_from_edges(ends)), batch)

        return draw

    def _loader(self, generator: torch.Generator, ends: Tensor, size: int, workers: int) -> LinkNeighborLoader:
        with warnings.catch_warnings():  # torch-sparse is asked in the way that it is right (see _shuffled)
            warnings.filterwarnings("ignore", message="Using 'NeighborSampler' without a 'pyg-lib' installation")
            return LinkNeighborLoader(
                _shuffled(self.graph, generator),
                self.num_neighbors,
                (INTERACTS, ends),
                is_sorted=True,
                transform=_rescale,
                batch_size=size,
                num_workers=workers,
                generator=generator,  # seeds the workers
            )


def _ends(batch: Batch) -> Tensor:
    """What a subgraph is drawn around, ``[2, 2 n]``: users with their positives, then with their negatives."""
    return torch.stack([batch.users.repeat(2), torch.cat([batch.positives, batch.negatives])])


def _numbered(part: HeteroData, batch: Batch) -> tuple[HeteroData, Batch]:
    """A subgraph and the triplets it was drawn around, in its numbers."""
    user, item = part[INTERACTS].edge_label_index  # [2n]: with the positives, then with the negatives
    positive, negative = item.chunk(2)
    return part, Batch(user[: len(positive)], positive, negative, batch.nominal_size)


def require_sampling() -> None:
    """Refuse to go on where nothing samples neighbours.

    Raises:
        InputError: neither pyg-lib nor torch-sparse is installed.
    """
    if sampling_package() is None:
        raise InputError(
            "sampling neighbours needs pyg-lib or torch-sparse, and neither is installed; there are wheels of "
            "pyg-lib at https://data.pyg.org/whl, and torch-sparse is built by "
            "pip install --no-build-isolation 'alignrec-geo[pyg-ext]'"
        )


def sampling_package() -> str | None:
    """Return the package that PyG samples neighbours with, ``None`` where neither is installed."""
    if torch_geometric.typing.WITH_PYG_LIB:
        return "pyg-lib"
    return "torch-sparse" if torch_geometric.typing.WITH_TORCH_SPARSE else None


def _weighted(data: HeteroData) -> HeteroData:
    """The bare graph: edges sorted by target, their weights, and how many edges of the type each one's target has."""
    graph = HeteroData()
    for kind in data.node_types:
        graph[kind].num_nodes = node_count(data, kind)
        graph[kind].n_id = torch.arange(graph[kind].num_nodes)
    for edge_type in data.edge_types:
        store = graph[edge_type]
        store.edge_index, store.edge_weight = relation_graph(data, edge_type).edges()
        target = store.edge_index[1]
        store.degree = torch.bincount(target, minlength=graph[edge_type[2]].num_nodes)[target]
    return graph


def _shuffled(graph: HeteroData, generator: torch.Generator) -> HeteroData:
    """The same graph with the edges into each node in another order.

    torch-sparse does not draw uniformly: of a node's edges it draws the last ones too seldom, one alone never the last
    (https://github.com/rusty1s/pytorch_sparse/issues/385). In an order that is drawn every edge has the same chance.
    """
    shuffled = copy.copy(graph)
    for store in shuffled.edge_stores:
        order = torch.randperm(store.num_edges, generator=generator)
        order = order[torch.argsort(store.edge_index[1, order], stable=True)]
        store.edge_index, store.edge_weight = store.edge_index[:, order], store.edge_weight[order]  # degree: by target
    return shuffled


def _rescale(part: HeteroData) -> HeteroData:
    """Let the edges that were drawn stand for those that were not."""
    for store in part.edge_stores:
        target = store.edge_index[1]
        if len(target):
            store.edge_weight = store.edge_weight * (store.degree / torch.bincount(target)[target])
        del store.degree
    return part
