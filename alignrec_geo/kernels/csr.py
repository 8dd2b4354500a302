"""A fixed sparse matrix kept in both directions."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from alignrec_geo.errors import InputError
from alignrec_geo.kernels.compressed import compress
from alignrec_geo.kernels.ranges import check_rows

INT32_MAX = 2**31 - 1
"""The most rows and columns."""


@dataclass(frozen=True)
class CSR:
    """A constant sparse matrix and its transpose, both in compressed rows.

    Columns take 32 bits; row pointers take 32 bits up to 2³¹ − 1 entries and 64 bits beyond (see
    :mod:`~alignrec_geo.kernels.row_blocks` for what that means for libraries).

    The backward of a product with a sparse matrix is the product with its transpose. ``torch.sparse.mm`` transposes
    again on every call; here both directions are kept, so the backward costs what the forward costs.

    Args:
        matrix: sparse CSR tensor ``[rows, cols]``.
        transposed: sparse CSR tensor ``[cols, rows]``.
    """

    matrix: Tensor
    transposed: Tensor

    @classmethod
    def from_coo(
        cls, row: Tensor, col: Tensor, value: Tensor, shape: tuple[int, int], symmetric: bool = False
    ) -> "CSR":
        """Build both directions from coordinates; entries given twice are added.

        Args:
            row: ``[nnz]`` int64.
            col: ``[nnz]`` int64.
            value: ``[nnz]`` floating point.
            shape: number of rows and columns.
            symmetric: the matrix is its own transpose, so it is stored once.

        Raises:
            InputError: more rows or columns than 32 bits can count, a place outside of the matrix, numbers that are no
                whole ones, or a value that is NaN or infinite.
        """
        check_entries(row, col, value, shape)
        made = compress(row, col, value, shape)
        matrix = made.tensor(shape[1])
        return cls(matrix, matrix if symmetric else made.transpose(shape[1]).tensor(shape[0]))

    @classmethod
    def from_edge_index(cls, edge_index: Tensor, edge_weight: Tensor | None, size: tuple[int, int]) -> "CSR":
        """Build the matrix by which targets gather from sources; what :meth:`edges` returns gives it back.

        Args:
            edge_index: ``[2, E]`` int64 in PyG's order: row 0 the sources, row 1 the targets.
            edge_weight: ``[E]`` floating point; ones if not given.
            size: number of sources and of targets, as in PyG's ``size``.

        Returns:
            A matrix of shape ``(targets, sources)``.

        Raises:
            InputError: see :meth:`from_coo`.

        Example:
            >>> graph = CSR.from_edge_index(torch.tensor([[0, 1, 2], [0, 0, 1]]), None, size=(3, 2))
            >>> graph.matrix.to_dense().tolist()
            [[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
        """
        source, target = edge_index
        weight = torch.ones(len(source), device=source.device) if edge_weight is None else edge_weight
        return cls.from_coo(target, source, weight, (size[1], size[0]))

    @classmethod
    def pattern(cls, row: Tensor, col: Tensor, shape: tuple[int, int]) -> "CSR":
        """Build a matrix of ones at the given places: which pairs there are."""
        return cls.from_coo(row, col, torch.ones(len(row), device=row.device), shape)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.matrix.shape[0]), int(self.matrix.shape[1])

    @property
    def nnz(self) -> int:
        """Number of stored entries."""
        return int(self.matrix.values().numel())

    @property
    def T(self) -> "CSR":
        """The transpose; nothing is copied."""
        return CSR(self.transposed, self.matrix)

    def map(self, function: Callable[[Tensor], Tensor]) -> "CSR":
        """Apply ``function`` (a move, a cast) to both directions."""
        matrix = function(self.matrix)
        return CSR(matrix, matrix if self.transposed is self.matrix else function(self.transposed))

    def __deepcopy__(self, memo: object) -> "CSR":
        """A copy of its own; torch cannot copy tensors in compressed rows by itself."""
        return self.map(torch.clone)

    def edges(self) -> tuple[Tensor, Tensor]:
        """PyG's ``edge_index`` ``[2, nnz]`` (row 0 the column, row 1 the row that gathers) and ``edge_weight``."""
        crow = self.matrix.crow_indices().long()
        row = torch.repeat_interleave(torch.arange(len(crow) - 1, device=crow.device), crow.diff())
        return torch.stack([self.matrix.col_indices().long(), row]), self.matrix.values()

    def entries(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Stored places of some rows: the position within ``rows`` and the column of each, sorted by position."""
        crow, col = self.matrix.crow_indices(), self.matrix.col_indices()
        start, end = crow[rows].long(), crow[rows + 1].long()
        count = end - start
        position = torch.repeat_interleave(torch.arange(len(rows), device=rows.device), count)
        offset = torch.arange(len(position), device=rows.device) - (count.cumsum(0) - count)[position]
        return position, col[start[position] + offset].long()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(shape={self.shape}, nnz={self.nnz})"


def check_entries(row: Tensor, col: Tensor, value: Tensor | None, shape: tuple[int, int]) -> None:
    """Refuse what is no entry of a matrix of this shape; see :meth:`CSR.from_coo` for what that is.

    Raises:
        InputError: says what is wrong.
    """
    if max(shape) > INT32_MAX:
        raise InputError(f"a matrix of shape {shape} exceeds 32-bit row and column numbers ({INT32_MAX})")
    given = [row, col] if value is None else [row, col, value]
    if len({part.shape for part in given}) != 1 or row.dim() != 1:
        shapes = ", ".join(str(list(part.shape)) for part in given)
        raise InputError(f"a matrix takes one row, one column and one value per entry, [nnz] each (got {shapes})")
    for numbers, count, kind in ((row, shape[0], "row"), (col, shape[1], "column")):
        if numbers.dtype != torch.long:
            raise InputError(f"the {kind}s of a matrix must be int64 (got {str(numbers.dtype).removeprefix('torch.')})")
        check_rows(numbers, count, f"{kind} of a matrix of shape {shape} with the number")
    if len({part.device for part in given}) != 1:
        devices = ", ".join(str(part.device) for part in given)
        raise InputError(f"rows, columns and values of a matrix must be on one device (got {devices})")
    if value is not None and not bool(torch.isfinite(value).all()):
        raise InputError("the values of a matrix must be finite (got NaN or infinity)")
