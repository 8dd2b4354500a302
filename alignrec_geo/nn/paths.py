"""Over which neighbour, and from where, a propagation reaches one node."""

from typing import NamedTuple

import torch
from torch import Tensor

from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.spmm import spmm


class Paths(NamedTuple):
    """The row of one node, cut up; the sum of all pieces is the row."""

    neighbours: Tensor
    """``[C]`` int64, ascending: the nodes over which the paths arrive."""
    pieces: Tensor
    """``[1 + C, S, d]``: what is there without any neighbour, then what every neighbour brings, by group of sources."""


def paths_to(graph: CSR, sources: Tensor, node: int, layers: int) -> Paths:
    r"""Cut one row of a mean propagation up by the last neighbour of every path and by where the path began.

    A propagation without weights is linear: with rows :math:`x = \sum_s x^{(s)}` in groups of sources,

    .. math::
        z_v = \tfrac{1}{L+1} \sum_{l=0}^{L} (A^l x)_v
        = \sum_s \Big[ \tfrac{1}{L+1} x^{(s)}_v
          + \sum_{j \in \mathcal N(v)} A_{vj} \, \tfrac{1}{L+1} \sum_{l=0}^{L-1} (A^l x^{(s)})_j \Big]

    Every path of length 1 or more enters :math:`v` from exactly one neighbour :math:`j`, so nothing is counted twice or
    left out. Where :math:`v` has a self-loop, a path belongs to the neighbour from which it came before it stayed.

    Args:
        graph: ``A``, square ``[N, N]``; row ``v`` holds the weights of the nodes that ``v`` gathers from.
        sources: ``[N, S, d]``, the rows in ``S`` groups.
        node: ``v``.
        layers: ``L``, at least 0.

    Example:
        >>> graph = CSR.from_coo(torch.tensor([0, 0, 1, 2]), torch.tensor([1, 2, 0, 0]), torch.ones(4), (3, 3))
        >>> neighbours, pieces = paths_to(graph, torch.tensor([1.0, 10.0, 100.0]).view(3, 1, 1), node=0, layers=1)
        >>> neighbours.tolist(), pieces.flatten().tolist()
        ([1, 2], [0.5, 5.0, 50.0])
    """
    groups, width = sources.shape[1:]
    column, weight = row_of(graph, node)
    stays = weight[column == node].sum()
    neighbours, weight = column[column != node], weight[column != node, None]
    x = sources.reshape(len(sources), groups * width)
    own, over = x[node], x.new_zeros(len(neighbours), x.shape[1])
    total = torch.cat([own[None], over])
    for layer in range(layers):
        x = spmm(graph, x) if layer else x
        own, over = stays * own, stays * over + weight * x[neighbours]
        total = total + torch.cat([own[None], over])
    return Paths(neighbours, (total / (layers + 1)).view(-1, groups, width))


def row_of(graph: CSR, row: int) -> tuple[Tensor, Tensor]:
    """The columns ``[C]`` int64 and the values ``[C]`` of one row."""
    start, end = graph.matrix.crow_indices()[row : row + 2].tolist()
    return graph.matrix.col_indices()[start:end].long(), graph.matrix.values()[start:end]
