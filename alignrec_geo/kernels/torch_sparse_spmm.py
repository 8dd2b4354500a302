"""Backend ``torch-sparse`` of ``spmm``: ``torch_sparse.matmul``."""

from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary
from torch_sparse import SparseTensor, matmul

_converted = WeakTensorKeyDictionary()
"""CSR tensor → the same matrix with the 64-bit indices this package needs, kept as long as the tensor lives."""


def multiply(matrix: Tensor, x: Tensor, base: Tensor | None = None, out: Tensor | None = None) -> Tensor:
    """Return ``matrix @ x``, plus ``base`` if given.

    Args:
        matrix: sparse CSR tensor ``[rows, cols]``.
        x: ``[cols, D]``.
        base: ``[rows, D]``, added to the product.
        out: ``[rows, D]``, to write into; neither ``x`` nor ``base``.
    """
    result: Tensor = matmul(_convert(matrix), x.contiguous())
    if base is not None:
        result += base
    return result if out is None else out.copy_(result)


def _convert(matrix: Tensor) -> SparseTensor:
    found = _converted.get(matrix)
    if found is None:
        found = _converted[matrix] = SparseTensor(
            rowptr=matrix.crow_indices().long(),
            col=matrix.col_indices().long(),
            value=matrix.values(),
            sparse_sizes=(matrix.shape[0], matrix.shape[1]),
            is_sorted=True,
            trust_data=True,
        )
    return found
