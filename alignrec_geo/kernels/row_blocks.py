"""Matrices with more entries than 32-bit row pointers can count, as blocks of rows that they can."""

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from alignrec_geo.kernels import compressed

_blocks = WeakTensorKeyDictionary()
"""CSR tensor with 64-bit pointers → its blocks, kept as long as the tensor lives."""


def row_blocks(matrix: Tensor) -> list[tuple[slice, Tensor]]:
    """Return the rows of a matrix as blocks whose row pointers take 32 bits; they share columns and values with it.

    MKL and cuSPARSE take row pointers and columns of one type. Columns of 64 bits would double what a product reads;
    blocks of rows have 32-bit pointers of their own, and every row of the product is what it is in one piece.

    Args:
        matrix: sparse CSR tensor ``[rows, cols]`` with 64-bit pointers and 32-bit columns; one with 32-bit pointers is
            its only block.

    Example:
        >>> from alignrec_geo.kernels.csr import CSR
        >>> one = CSR.from_coo(torch.tensor([0, 1]), torch.tensor([1, 0]), torch.ones(2), (2, 2)).matrix
        >>> [rows for rows, _ in row_blocks(one)]
        [slice(0, 2, None)]
    """
    crow = matrix.crow_indices()
    if crow.dtype == torch.int32:
        return [(slice(0, matrix.shape[0]), matrix)]
    found: list[tuple[slice, Tensor]] | None = _blocks.get(matrix)
    if found is None:
        found = _blocks[matrix] = [(rows, _block(matrix, rows)) for rows in _ranges(crow)]
    return found


def _ranges(crow: Tensor) -> list[slice]:
    """As many rows at a time as have at most :data:`~alignrec_geo.kernels.compressed.POINTER_LIMIT` entries."""
    ranges, first, count = [], 0, len(crow) - 1
    while first < count:
        most = crow[first : first + 1] + compressed.POINTER_LIMIT
        last = max(int(torch.searchsorted(crow, most, right=True)) - 1, first + 1)
        ranges.append(slice(first, last))
        first = last
    return ranges


def _block(matrix: Tensor, rows: slice) -> Tensor:
    crow = matrix.crow_indices()[rows.start : rows.stop + 1]
    entries = slice(int(crow[0]), int(crow[-1]))
    parts = (crow - crow[0]).int(), matrix.col_indices()[entries], matrix.values()[entries]
    return compressed.csr_tensor(*parts, (rows.stop - rows.start, int(matrix.shape[1])))
