"""Leading singular vectors of the user-item graph."""

import torch
from torch import Tensor

from alignrec_geo.embeddings import Embeddings
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.spmm import spmm

OVERSAMPLING = 16
ITERATIONS = 6


@torch.no_grad()
def spectral_tables(block: CSR, dim: int, generator: torch.Generator) -> Embeddings:
    r"""Return tables whose products are the best approximation of the graph of rank ``dim``.

    .. math::
        \hat R \approx U \Sigma V^\top, \qquad P = U \Sigma^{1/2}, \quad Q = V \Sigma^{1/2}

    The vectors are found by randomised subspace iteration (`Halko et al., 2011 <https://arxiv.org/abs/0909.4061>`_):
    14 products with the graph, and ``(U + I) dim`` numbers.

    Args:
        block: :math:`\hat R = D_U^{-1/2} R D_I^{-1/2}`, ``[U, I]``.
        dim: width of the tables; at most as many columns as the smaller side has rows.
        generator: draws where the iteration starts.

    Returns:
        ``[U, r]`` and ``[I, r]`` with ``r = min(dim, U, I)``; rows of nodes without a pair are zero.

    Example:
        >>> block = CSR.from_coo(torch.tensor([0, 1]), torch.tensor([0, 1]), torch.ones(2), (2, 2))
        >>> users, items = spectral_tables(block, 2, torch.Generator().manual_seed(0))
        >>> (users @ items.T).round(decimals=4).abs().tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    n_users, n_items = block.shape
    rank = min(dim, n_users, n_items)
    width = min(rank + OVERSAMPLING, n_users, n_items)
    items = torch.randn(n_items, width, generator=generator).to(block.matrix)
    for _ in range(ITERATIONS):
        items = _basis(spmm(block.T, _basis(spmm(block, items))))
    basis, inner = torch.linalg.qr(spmm(block, items))  # R̂ items = basis inner
    left, values, right = torch.linalg.svd(inner)
    root = values[:rank].sqrt()
    return Embeddings((basis @ left[:, :rank]) * root, (items @ right[:rank].T) * root)


def _basis(rows: Tensor) -> Tensor:
    basis: Tensor = torch.linalg.qr(rows).Q
    return basis
