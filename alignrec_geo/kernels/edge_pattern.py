"""Which edges there are, apart from what they weigh."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.opaque import opaque


@dataclass(frozen=True, eq=False)
class EdgePattern:
    """Which edges there are, in both directions: a :class:`~alignrec_geo.kernels.csr.CSR` without values of its own.

    Values per edge come in the pattern's order: by row, within a row by column. The values that are stored are scratch:
    every product overwrites them, so that a matrix is laid out once and not in every product.

    Args:
        csr: the places of the edges, both directions.
        row: row of every edge, ``[E]`` int32.
        col: column of every edge, ``[E]`` int32.
        to_transposed: where in the pattern's order every edge of the transpose stands, ``[E]`` int32, or int64 where
            32 bits cannot count the edges.
        from_transposed: where in the transpose's order every edge of the pattern stands, likewise.
    """

    csr: CSR
    row: Tensor
    col: Tensor
    to_transposed: Tensor
    from_transposed: Tensor

    @classmethod
    def from_coo(
        cls, row: Tensor, col: Tensor, shape: tuple[int, int], dtype: torch.dtype = torch.float32
    ) -> "EdgePattern":
        """Build the pattern from coordinates in any order; pairs given twice count once.

        Args:
            row: ``[E]`` int64, the nodes that gather.
            col: ``[E]`` int64, the nodes that they gather from.
            shape: number of rows and columns.
            dtype: of the values that products take.

        Raises:
            InputError: more rows or columns than 32 bits can count.
        """
        csr = CSR.from_coo(row, col, row.new_ones(len(row), dtype=dtype), shape)
        (source, target), _ = csr.edges()
        order = torch.argsort(source * shape[0] + target)
        back = torch.empty_like(order)
        back[order] = torch.arange(len(order), device=order.device)
        places = csr.matrix.crow_indices().dtype
        return cls(csr, target.int(), source.int(), order.to(places), back.to(places))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.csr.shape

    @property
    def nnz(self) -> int:
        """Number of edges, ``E``."""
        return self.csr.nnz

    @cached_property
    def T(self) -> "EdgePattern":
        """The transpose. Bring values into its order with :meth:`transpose_values`."""
        row, col = self.transpose_values(self.col), self.transpose_values(self.row)
        return EdgePattern(self.csr.T, row, col, self.from_transposed, self.to_transposed)

    @opaque
    def transpose_values(self, value: Tensor) -> Tensor:
        """Values per edge ``[E]``, from the pattern's order into that of its transpose."""
        reordered: Tensor = _Reordered.apply(value, self.to_transposed, self.from_transposed)  # type: ignore[no-untyped-call]
        return reordered

    def map(self, function: Callable[[Tensor], Tensor]) -> "EdgePattern":
        """Apply ``function`` (a move, a cast of floating-point tensors) to all parts."""
        parts = self.row, self.col, self.to_transposed, self.from_transposed
        return EdgePattern(self.csr.map(function), *map(function, parts))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(shape={self.shape}, nnz={self.nnz})"


class _Reordered(torch.autograd.Function):
    """Values in another order; their gradients are put back by the reverse, where indexing would scatter them."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, there: Tensor, back: Tensor) -> Tensor:
        ctx.back = back
        return value.index_select(0, there)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return grad.index_select(0, ctx.back), None, None
