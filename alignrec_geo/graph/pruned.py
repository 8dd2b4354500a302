"""Degree-sensitive edge pruning: a random part of the user-item graph that spares the edges of rare nodes."""

import torch
from torch import Tensor

from alignrec_geo.errors import InputError
from alignrec_geo.graph.adjacency import symmetric_adjacency
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.ranges import check_rows


def prune_edges(edge_index: Tensor, n_users: int, n_items: int, ratio: float, generator: torch.Generator) -> Tensor:
    r"""Draw the edges that stay, without replacement, each with a probability that falls with its nodes' degrees.

    .. math::
        p_{ui} \propto \frac{1}{\sqrt{d_u d_i}}, \qquad \lfloor (1 - \rho)\, |E| \rfloor \text{ edges stay}

    Every edge gets an exponential key with rate :math:`p_{ui}`; the edges with the smallest keys are exactly such a
    draw (`Efraimidis and Spirakis <https://doi.org/10.1016/j.ipl.2005.11.003>`_). ``torch.multinomial`` draws alike,
    but from 2²⁴ edges at most; here any number will do.

    Args:
        edge_index: unique user-item pairs, ``[2, E]`` (row 0 users, row 1 items).
        n_users: ``U``.
        n_items: ``I``.
        ratio: :math:`\rho`, the part of the edges that goes, in ``[0, 1)``.
        generator: the source of randomness, on the device of ``edge_index``.

    Returns:
        The pairs that stay, ``[2, n]``, in their old order.

    Raises:
        InputError: ``ratio`` lies outside ``[0, 1)``, or a pair names a user or an item that does not exist.
    """
    if not 0.0 <= ratio < 1.0:
        raise InputError(f"the part of the edges to prune must be at least 0 and below 1 (got {ratio})")
    if ratio == 0.0:
        return edge_index
    user, item = edge_index
    check_rows(user, n_users, "user")
    check_rows(item, n_items, "item")
    user_degree, item_degree = torch.bincount(user, minlength=n_users), torch.bincount(item, minlength=n_items)
    mean_key = (user_degree[user].double() * item_degree[item].double()).sqrt()  # 1 / p up to a factor, [E]
    key = torch.empty_like(mean_key).exponential_(generator=generator).mul_(mean_key)
    kept = key.topk(int(len(key) * (1.0 - ratio)), largest=False, sorted=False).indices
    return edge_index[:, kept.sort().values]


def pruned_adjacency(edge_index: Tensor, n_users: int, n_items: int, ratio: float, generator: torch.Generator) -> CSR:
    """Return the normalised adjacency of the edges that :func:`prune_edges` keeps, ``[N, N]``.

    Degrees are counted anew among the kept edges (see
    :func:`~alignrec_geo.graph.adjacency.symmetric_adjacency`). Same arguments as :func:`prune_edges`.
    """
    return symmetric_adjacency(prune_edges(edge_index, n_users, n_items, ratio, generator), n_users, n_items)
