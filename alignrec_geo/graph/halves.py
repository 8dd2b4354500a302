"""The normalised user-item graph as one matrix on all nodes, whose halves are R̂ and its transpose."""

import torch
from torch import Tensor

from alignrec_geo.kernels.compressed import Compressed, compress
from alignrec_geo.kernels.counting_sort import blocks, row_numbers
from alignrec_geo.kernels.csr import CSR


def both_halves(user: Tensor, item: Tensor, n_users: int, n_items: int, weight: Tensor | None) -> Compressed | None:
    r"""Return :math:`\hat A` on users and items, users first, in compressed rows; ``None`` if a pair is given twice.

    Beside the pairs and the result (``16 E + 8 N`` bytes) at most ``16 E`` bytes are held, and those of a block of
    entries.

    Args:
        user: ``[E]`` int64.
        item: ``[E]`` int64.
        n_users: ``U``.
        n_items: ``I``.
        weight: ``[E]`` float, the entries; ``None`` for :math:`1 / \sqrt{d_u d_i}`.
    """
    pairs = compress(user, item, weight, (n_users, n_items))
    if len(pairs.col) < len(user):
        return None
    turned = pairs.transpose(n_items)
    edges = len(user)
    crow = torch.cat([pairs.crow, turned.crow[1:] + edges])
    col = torch.cat([pairs.col + n_users, turned.col])
    if pairs.value is not None and turned.value is not None:
        return Compressed(crow, col, torch.cat([pairs.value, turned.value]).float())
    del pairs, turned
    value = torch.empty(2 * edges, device=user.device)
    degree = crow.diff().double()
    for part in blocks(len(col)):
        ends = degree[row_numbers(crow, part)] * degree[col[part].long()]
        value[part] = ends.rsqrt_().float()
    return Compressed(crow, col, value)


def user_item_block(graph: CSR, n_users: int) -> CSR:
    """Return R̂, ``[U, I]``, of the graph on all nodes; both share its values, and the transpose shares its columns.

    Args:
        graph: symmetric, users first, ``[U + I, U + I]``.
        n_users: ``U``.

    Example:
        >>> from alignrec_geo.graph.adjacency import symmetric_adjacency
        >>> graph = symmetric_adjacency(torch.tensor([[0], [1]]), 1, 2)
        >>> user_item_block(graph, 1).matrix.to_dense().tolist()
        [[0.0, 1.0]]
    """
    crow, col, value = graph.matrix.crow_indices().long(), graph.matrix.col_indices(), graph.matrix.values()
    edges, n_items = int(crow[n_users]), graph.shape[0] - n_users
    users = Compressed(crow[: n_users + 1], col[:edges] - n_users, value[:edges])
    items = Compressed(crow[n_users:] - edges, col[edges:], value[edges:])
    return CSR(users.tensor(n_items), items.tensor(n_users))
