"""Backend ``torch-scatter`` of ``spmm``: gather, weigh, ``torch_scatter.segment_csr``."""

from torch import Tensor
from torch_scatter import segment_csr


def multiply(matrix: Tensor, x: Tensor, base: Tensor | None = None, out: Tensor | None = None) -> Tensor:
    """Return ``matrix @ x``, plus ``base`` if given. A message per stored entry exists at once, ``[nnz, D]``.

    Args:
        matrix: sparse CSR tensor ``[rows, cols]``.
        x: ``[cols, D]``.
        base: ``[rows, D]``, added to the product.
        out: ``[rows, D]``, to write into; neither ``x`` nor ``base``.
    """
    messages = x.index_select(0, matrix.col_indices()).mul_(matrix.values()[:, None])
    result: Tensor = segment_csr(messages, matrix.crow_indices().long(), reduce="sum")
    if base is not None:
        result += base
    return result if out is None else out.copy_(result)
