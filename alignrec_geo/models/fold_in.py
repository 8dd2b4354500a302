"""What models share that fold users in through their own propagation: the items' side of it, without the new users."""

import torch
from torch import Tensor

from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.spmm import mean_propagation
from alignrec_geo.serving.folding import Folding


def propagated_rows(graph: CSR, table: Tensor, layers: int, n_users: int) -> Tensor:
    r"""Return the rows from which a new user's mean over layers is gathered, ``[I, W]``.

    With :math:`x^{(l)} = \hat A^l x` on the trained graph and its degrees :math:`d`, a user who is added with the
    history :math:`\mathcal N` has, without the own row,

    .. math::
        \tfrac{1}{L+1} \sum_{l=1}^{L} \sum_{i \in \mathcal N} \frac{x^{(l-1)}_i}{\sqrt{|\mathcal N| d_i}}
        = \frac{1}{\sqrt{|\mathcal N|}} \sum_{i \in \mathcal N} T_i, \qquad
        T_i = \frac{1}{(L+1) \sqrt{d_i}} \sum_{l=0}^{L-1} x^{(l)}_i

    What the user would change in the items, their degrees included, is left out. An item without an interaction counts
    as if this were its first: :math:`d_i = 1`.

    Args:
        graph: :math:`\hat A` on users and items, users first, ``[N, N]``.
        table: :math:`x`, ``[N, W]``.
        layers: ``L``; 0 gives zero rows.
        n_users: ``U``.
    """
    if layers == 0:
        return torch.zeros_like(table[n_users:])
    total = layers * mean_propagation(graph, table, layers - 1)[n_users:]  # sum over the first L layers
    return total / (layers + 1) * root_degree(graph, n_users)


def propagated_folding(graph: CSR, table: Tensor, layers: int, n_users: int, own: Folding) -> Folding:
    """Return the rule by which a new user gets a mean over layers: :func:`propagated_rows`, and the user's own row.

    Args:
        graph: see :func:`propagated_rows`, also for what follows.
        table: rows before propagation.
        layers: ``L``.
        n_users: ``U``.
        own: by which the user's own row is estimated.
    """
    return Folding(propagated_rows(graph, table, layers, n_users), "root") + own.map(lambda rows: rows / (layers + 1))


def root_degree(graph: CSR, n_users: int) -> Tensor:
    r""":math:`1 / \sqrt{d_i}` of the items of a symmetric graph, ``[I, 1]``; 1 for an item without an edge."""
    degree = graph.matrix.crow_indices().diff()[n_users:]
    return degree.clamp(min=1).to(graph.matrix.dtype).rsqrt()[:, None]
