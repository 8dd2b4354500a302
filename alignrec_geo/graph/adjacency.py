"""Normalised adjacency of the user-item graph."""

from pathlib import Path

import torch
from torch import Tensor

from alignrec_geo.graph import stored
from alignrec_geo.graph.halves import both_halves, user_item_block
from alignrec_geo.kernels.compressed import Compressed
from alignrec_geo.kernels.csr import CSR, check_entries
from alignrec_geo.kernels.ranges import check_rows


def bipartite_adjacency(
    edge_index: Tensor, n_users: int, n_items: int, weight: Tensor | None = None, folder: Path | None = None
) -> CSR:
    r"""Return :math:`\hat R`, the symmetrically normalised user-item block, ``[U, I]``.

    .. math::
        \hat R_{ui} = \frac{1}{\sqrt{d_u d_i}}

    Args:
        edge_index: unique user-item pairs, ``[2, E]`` (row 0 users, row 1 items).
        n_users: ``U``; users without a pair get an empty row.
        n_items: ``I``; items without a pair get an empty column.
        weight: ``[E]``, entries in place of these, taken as they are.
        folder: a data set folder that keeps large graphs, so that they are made once and mapped into memory; ``None``
            makes the graph anew (see :mod:`alignrec_geo.graph.stored`).

    Raises:
        InputError: a pair names a user or an item that does not exist.
    """
    return user_item_block(symmetric_adjacency(edge_index, n_users, n_items, weight, folder), n_users)


def symmetric_adjacency(
    edge_index: Tensor, n_users: int, n_items: int, weight: Tensor | None = None, folder: Path | None = None
) -> CSR:
    r"""Return :math:`\hat A = D^{-1/2} A D^{-1/2}` on all ``N = U + I`` nodes, no self-loops, ``[N, N]``.

    Users come first: item ``i`` is node ``U + i``. Same arguments as :func:`bipartite_adjacency`.
    """
    user, item = _checked(edge_index, n_users, n_items)
    size = n_users + n_items
    graph = _graph(user, item, n_users, n_items, weight, folder)
    if graph is None:
        given = _weights(user, item, n_users, n_items) if weight is None else weight
        row, col = torch.cat([user, item + n_users]), torch.cat([item + n_users, user])
        return CSR.from_coo(row, col, torch.cat([given, given]).float(), (size, size), symmetric=True)
    matrix = graph.tensor(size)
    return CSR(matrix, matrix)  # its own transpose


def mean_adjacency(edge_index: Tensor, n_users: int, n_items: int) -> CSR:
    r"""Return :math:`D^{-1} A` on all ``N = U + I`` nodes, no self-loops, ``[N, N]``: it takes the neighbours' mean.

    .. math::
        (D^{-1} A)_{vw} = \frac{1}{d_v}

    Nodes without a neighbour get an empty row, a mean of zero. Same arguments and order of nodes as
    :func:`symmetric_adjacency`.
    """
    user, item = _checked(edge_index, n_users, n_items)
    row, col = torch.cat([user, item + n_users]), torch.cat([item + n_users, user])
    size = n_users + n_items
    degree = torch.bincount(row, minlength=size).double()
    return CSR.from_coo(row, col, degree[row].reciprocal().float(), (size, size))


def normalised_weight(edge_index: Tensor, n_users: int, n_items: int, weight: Tensor) -> Tensor:
    r"""Return what weighted pairs are in the symmetrically normalised user-item block, ``[E]``.

    .. math::
        \hat R_{ui} = \frac{w_{ui}}{\sqrt{\sum_j w_{uj}} \sqrt{\sum_v w_{vi}}}

    With equal weights these are the entries of :func:`bipartite_adjacency`; a factor of all weights changes nothing.

    Args:
        edge_index: unique user-item pairs, ``[2, E]``.
        n_users: ``U``.
        n_items: ``I``.
        weight: above 0, ``[E]``.

    Example:
        >>> normalised_weight(torch.tensor([[0, 0], [0, 1]]), 1, 2, torch.tensor([3.0, 1.0])).square().tolist()
        [0.75, 0.25]
    """
    user, item = _checked(edge_index, n_users, n_items)
    whole = weight.double()
    of_user, of_item = (
        torch.zeros(size, dtype=torch.float64).index_add_(0, ends, whole)
        for size, ends in ((n_users, user), (n_items, item))
    )
    return (whole / (of_user[user] * of_item[item]).sqrt()).float()


def _checked(edge_index: Tensor, n_users: int, n_items: int) -> tuple[Tensor, Tensor]:
    # on all nodes together a user beyond the last one would be an item
    user, item = edge_index
    check_rows(user, n_users, "user")
    check_rows(item, n_items, "item")
    return user, item


def _graph(
    user: Tensor, item: Tensor, n_users: int, n_items: int, weight: Tensor | None, folder: Path | None
) -> Compressed | None:
    """The graph on all nodes, from the folder or made; ``None`` if a pair is given twice, which has to be added up."""
    check_entries(user, item, weight, (n_users, n_items))
    if folder is None or len(user) < stored.STORED_FROM:
        return both_halves(user, item, n_users, n_items, weight)
    key = stored.graph_key(user, item, n_users, n_items, weight)
    sizes = n_users + n_items, len(user)
    graph = stored.stored_graph(folder, key, *sizes)
    if graph is None:
        graph = both_halves(user, item, n_users, n_items, weight)
        if graph is not None and stored.store_graph(folder, key, graph):
            graph = stored.stored_graph(folder, key, *sizes) or graph  # mapped, what was made is freed
    return graph


def _weights(user: Tensor, item: Tensor, n_users: int, n_items: int) -> Tensor:
    user_degree = torch.bincount(user, minlength=n_users).double()
    item_degree = torch.bincount(item, minlength=n_items).double()
    return (user_degree[user] * item_degree[item]).rsqrt().float()
