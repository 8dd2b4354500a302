"""Sparse matrices in compressed rows, made in memory that is stated: 64-bit row pointers, 32-bit columns."""

import warnings
from typing import NamedTuple

import torch
from torch import Tensor

from alignrec_geo.kernels.counting_sort import blocks, grouped

POINTER_LIMIT = 2**31 - 1
"""Entries up to which row pointers are stored in 32 bits, as the libraries want them; more take 64."""


class Compressed(NamedTuple):
    """The parts of a matrix in compressed rows, each row sorted by column, every place once."""

    crow: Tensor
    """Where each row begins, ``[rows + 1]`` int64."""
    col: Tensor
    """``[nnz]`` int32."""
    value: Tensor | None
    """``[nnz]`` floating point; ``None`` where only the places are asked for."""

    def tensor(self, columns: int) -> Tensor:
        """The matrix as a sparse CSR tensor that shares this memory; pointers take 64 bits only if they must."""
        crow = self.crow.int() if len(self.col) <= POINTER_LIMIT else self.crow
        assert self.value is not None, "a matrix has values"
        return csr_tensor(crow, self.col, self.value, (len(crow) - 1, columns))

    def transpose(self, columns: int) -> "Compressed":
        """The transpose, in ``12 nnz`` bytes beside itself (``8 nnz`` without values)."""
        row = torch.repeat_interleave(
            torch.arange(len(self.crow) - 1, dtype=torch.int32, device=self.crow.device), self.crow.diff()
        )
        return _of(*grouped(self.col, columns, [row] if self.value is None else [row, self.value]))


def compress(row: Tensor, col: Tensor, value: Tensor | None, shape: tuple[int, int]) -> Compressed:
    """Bring entries in any order into compressed rows; values of entries given twice are added, in their order.

    Entries that come sorted by row and column are not sorted again. Others are sorted by column and then by row, in at
    most ``24 nnz`` bytes beside what is given (``16 nnz`` without values); no key per entry is formed.

    Args:
        row: ``[nnz]`` int64, below ``shape[0]``.
        col: ``[nnz]`` int64, below ``shape[1]``, which is at most 2³¹.
        value: ``[nnz]`` floating point.
        shape: number of rows and columns.

    Example:
        >>> compress(torch.tensor([1, 0]), torch.tensor([2, 0]), None, (2, 3)).crow
        tensor([0, 1, 2])
    """
    if _is_sorted(row, col):
        crow = torch.zeros(shape[0] + 1, dtype=torch.long, device=row.device)
        for part in blocks(len(row)):
            crow[1:] += torch.bincount(row[part], minlength=shape[0])
        return Compressed(crow.cumsum_(0), col.int(), value)
    parts = [row.int(), col.int()] if value is None else [row.int(), col.int(), value]
    _, (rows, *parts) = grouped(col, shape[1], parts)
    crow, parts = grouped(rows, shape[0], parts)
    del rows
    return _merged(_of(crow, parts))


def csr_tensor(crow: Tensor, col: Tensor, value: Tensor, shape: tuple[int, int]) -> Tensor:
    """A sparse CSR tensor of parts that are known to fit; nothing is copied."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="Sparse (CSR tensor support is in beta|invariant checks are implicitly)"
        )
        return torch.sparse_csr_tensor(crow, col, value, shape, device=value.device, check_invariants=False)


def _of(crow: Tensor, parts: list[Tensor]) -> Compressed:
    return Compressed(crow, parts[0], parts[1] if len(parts) > 1 else None)


def _is_sorted(row: Tensor, col: Tensor) -> bool:
    """Whether entries are sorted by row and column, none twice."""
    for part in blocks(max(len(row) - 1, 0)):
        after = slice(part.start + 1, part.stop + 1)
        later = row[after] > row[part]
        if not bool((later | ((row[after] == row[part]) & (col[after] > col[part]))).all()):
            return False
    return True


def _merged(sorted_entries: Compressed) -> Compressed:
    """Add up entries of the same place, which stand beside each other."""
    crow, col, value = sorted_entries
    if len(col) < 2:
        return sorted_entries
    begins = torch.zeros(len(col), dtype=torch.bool, device=col.device)  # a place that no entry before it has
    begins[0] = True
    torch.ne(col[1:], col[:-1], out=begins[1:])
    begins[crow[:-1][crow.diff() > 0]] = True
    if bool(begins.all()):
        return sorted_entries
    number = begins.cumsum(0)  # [nnz], the places so far
    merged = None
    if value is not None:
        merged = value.new_zeros(int(number[-1])).index_add_(0, number - 1, value)
    before = torch.cat([number.new_zeros(1), number])
    return Compressed(before[crow], col[begins], merged)
