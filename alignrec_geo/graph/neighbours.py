"""Rows of the interaction matrix that are most alike: users with the same items, items with the same users."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from alignrec_geo.errors import InputError
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.spmm import spmm
from alignrec_geo.kernels.topk import top_k

BLOCK_ENTRIES = 1 << 22
"""Numbers of the rows×rows product that exist at a time, unless one row alone has more."""
DENSE = 0.05
"""Part of the product that may not be zero from which on its blocks are dense."""


def cosine_neighbours(queries: CSR, keys: CSR | None = None, k: int = 10) -> CSR:
    r"""Return the ``k`` most similar rows of every row, with their cosines.

    .. math::
        w_{uv} = \frac{x_u^\top x_v}{\|x_u\| \|x_v\|}

    For the 0/1 matrix of the pairs this is the number of items in common over :math:`\sqrt{d_u d_v}`. The product is
    computed in blocks of rows, of which the best ``k`` entries stay. Rows without anything in common are no
    neighbours; among equally similar ones the lower numbers come first.

    Args:
        queries: ``[B, I]``, not negative.
        keys: whose rows are looked for, ``[U, I]``, not negative; ``None`` takes the queries, no row being its own
            neighbour.
        k: most neighbours per row.

    Returns:
        ``[B, U]`` on the CPU, values in (0, 1].

    Raises:
        InputError: ``k`` is below 1, or both have another number of columns.

    Example:
        >>> rows = CSR.from_coo(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1]), torch.ones(3), (2, 2))
        >>> cosine_neighbours(rows, k=1).matrix.to_dense()
        tensor([[0.0000, 0.7071],
                [0.7071, 0.0000]])
    """
    if k < 1:
        raise InputError(f"k must be at least 1 (got {k})")
    others = queries if keys is None else keys
    if queries.shape[1] != others.shape[1]:
        raise InputError(f"the rows have {queries.shape[1]} and {others.shape[1]} columns")
    found = _sparse(others)
    rows = found if keys is None else _sparse(queries)
    of_rows, of_others = (_sums(one.indices()[0], one.values().square(), one.shape[0]) for one in (rows, found))
    reach = torch.bincount(found.indices()[1], minlength=found.shape[1])[rows.indices()[1]]  # rows with each column
    bound = reach.new_zeros(rows.shape[0]).index_add_(0, rows.indices()[0], reach).clamp_(max=found.shape[0])
    dense = float(bound.sum()) > DENSE * rows.shape[0] * found.shape[0]
    pairs = _Pairs(rows, found, of_rows, of_others, itself=keys is None)
    blocks = _dense(pairs, others.map(Tensor.cpu), k) if dense else _sparse_blocks(pairs, bound, k)
    edges = [(torch.empty(0, dtype=torch.long), torch.empty(0, dtype=torch.long), torch.empty(0)), *blocks]
    row, column, value = (torch.cat(part) for part in zip(*edges, strict=True))
    return CSR.from_coo(row, column, value.clamp(max=1.0), (queries.shape[0], others.shape[0]))


def row_shares(graph: CSR) -> CSR:
    """Return the graph with each row scaled to the sum 1; empty rows stay empty.

    Example:
        >>> row_shares(CSR.from_coo(torch.tensor([0, 0]), torch.tensor([0, 1]), torch.ones(2), (2, 2))).matrix.values()
        tensor([0.5000, 0.5000])
    """
    (column, row), value = graph.edges()
    return CSR.from_coo(row, column, value / _sums(row, value, graph.shape[0])[row], graph.shape)


def symmetric_shares(graph: CSR) -> CSR:
    r"""Return the graph with :math:`w_{ij} / \sqrt{s_i s_j}`, where :math:`s_i` is the sum of row ``i``, as
    :func:`~alignrec_geo.graph.item_knn.item_knn` weighs its neighbours; one whose own row is empty gets no weight.

    Example:
        >>> symmetric_shares(CSR.from_coo(torch.tensor([0, 1]), torch.tensor([1, 0]), torch.ones(2), (2, 2))).nnz
        2
    """
    (column, row), value = graph.edges()
    total = _sums(row, value, graph.shape[0])
    root = torch.where(total > 0.0, total.rsqrt(), 0.0)
    return CSR.from_coo(row, column, value * root[row] * root[column], graph.shape)


def blended(first: CSR, second: CSR, share: Tensor) -> CSR:
    r"""Return :math:`(1 - \beta_i) A_i + \beta_i B_i`, row by row.

    Args:
        first: :math:`A`, ``[I, I]``.
        second: :math:`B`, of the same shape.
        share: :math:`\beta`, ``[I]``, from 0 to 1.
    """
    (column, row), value = first.edges()
    (other_column, other_row), other_value = second.edges()
    values = torch.cat([(1.0 - share[row]) * value, share[other_row] * other_value])
    return CSR.from_coo(torch.cat([row, other_row]), torch.cat([column, other_column]), values, first.shape)


def _sparse(matrix: CSR) -> Tensor:
    """The matrix on the CPU as torch multiplies it."""
    (column, row), value = matrix.map(Tensor.cpu).edges()
    place = torch.stack([row, column])
    return torch.sparse_coo_tensor(place, value.float(), matrix.shape, check_invariants=False).coalesce()


def _sums(row: Tensor, value: Tensor, count: int) -> Tensor:
    """The sum of every row's values, ``[count]``."""
    return value.new_zeros(count).index_add_(0, row, value)


class _Pairs(NamedTuple):
    rows: Tensor
    others: Tensor
    of_rows: Tensor
    """Squared lengths."""
    of_others: Tensor
    itself: bool
    """Whether both are the same rows, none of which is its own neighbour."""


_Edges = Iterator[tuple[Tensor, Tensor, Tensor]]


def _dense(pairs: _Pairs, keys: CSR, k: int) -> _Edges:
    """The best of every row, from dense blocks of the product: faster where a good part of it is not zero."""
    count = pairs.rows.shape[0]
    size = max(1, BLOCK_ENTRIES // pairs.others.shape[0])
    for first in range(0, count, size):
        last = min(first + size, count)
        part = _slice(pairs.rows, first, last).to_dense()
        product = spmm(keys, part.T.contiguous().to(keys.matrix.dtype)).T.float()  # [b, U]
        product /= torch.outer(pairs.of_rows[first:last], pairs.of_others).sqrt_().clamp_(min=1e-12)
        if pairs.itself:
            product[torch.arange(last - first), torch.arange(first, last)] = 0.0
        value, column = top_k(product, k)
        row, place = torch.nonzero(value > 0.0, as_tuple=True)
        yield row + first, column[row, place], value[row, place]


def _sparse_blocks(pairs: _Pairs, bound: Tensor, k: int) -> _Edges:
    """The best of every row, from sparse blocks of the product."""
    turned = pairs.others.t().coalesce()
    _, sizes = torch.unique_consecutive(bound.cumsum(0) // BLOCK_ENTRIES, return_counts=True)
    lasts = sizes.cumsum(0)
    for first, last in zip((lasts - sizes).tolist(), lasts.tolist(), strict=True):
        product = torch.sparse.mm(_slice(pairs.rows, first, last), turned).coalesce()
        (row, column), value = product.indices(), product.values()
        kept = (value > 0.0) & (row + first != column) if pairs.itself else value > 0.0
        row, column, value = row[kept] + first, column[kept], value[kept]
        # of exact counts: equal ones stay equal, to the last digit
        value = value / (pairs.of_rows[row] * pairs.of_others[column]).sqrt()
        yield _best(row, column, value, k)


def _slice(rows: Tensor, first: int, last: int) -> Tensor:
    row, column = rows.indices()
    start, end = torch.searchsorted(row, torch.tensor([first, last])).tolist()
    place = torch.stack([row[start:end] - first, column[start:end]])
    shape = (last - first, rows.shape[1])
    return torch.sparse_coo_tensor(place, rows.values()[start:end], shape, check_invariants=False, is_coalesced=True)


def _best(row: Tensor, column: Tensor, value: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """The ``k`` largest values of every row; entries come sorted by row and column."""
    order = torch.argsort(value, descending=True, stable=True)
    order = order[torch.argsort(row[order], stable=True)]
    row, column, value = row[order], column[order], value[order]
    kept = torch.arange(len(row)) - torch.searchsorted(row, row) < k
    return row[kept], column[kept], value[kept]
