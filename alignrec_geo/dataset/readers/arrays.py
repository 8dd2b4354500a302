"""Matrices as people hold them in memory, as arrays of numbers: tensors of any kind, arrays, frames, lists."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from alignrec_geo.dataset.readers.matrices import as_float32
from alignrec_geo.errors import InputError
from alignrec_geo.reading import reading


def numbers_in(values: Any, label: str) -> NDArray[np.generic]:
    """An array from whatever holds one: a tensor (on any device, sparse, half, with gradient), an array, a list.

    What is given is not changed.

    Raises:
        InputError: it holds no array, lists of different lengths for example.

    Example:
        >>> import torch
        >>> numbers_in(torch.eye(2).bfloat16().to_sparse(), "features 'image'").tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    if values is None or isinstance(values, str | bytes | dict):
        raise InputError(f"{label}: a matrix or a list of numbers is needed (got {values!r:.80})")
    with reading(label, "array of numbers"):
        if hasattr(values, "detach"):  # a tensor; torch_sparse's SparseTensor too
            from alignrec_geo.tensors import as_array

            plain = checked_sparse(values.detach())
            plain = plain.to_dense() if str(getattr(plain, "layout", "")) != "torch.strided" else plain
            return as_array(plain.cpu().resolve_conj().resolve_neg())
        if hasattr(values, "todense") and hasattr(values, "tocsr"):
            return np.asarray(values.todense())
        array: NDArray[np.generic] = np.asarray(values.to_numpy() if hasattr(values, "to_numpy") else values)
        if array.dtype == object:
            array = np.asarray(array.tolist(), dtype=np.float64)
    return array


def float32_matrix(values: Any, label: str) -> NDArray[np.float32]:
    """A matrix of float32 from whatever holds numbers; see :func:`numbers_in`.

    Raises:
        InputError: it is no matrix of finite numbers; the message begins with ``label``.
    """
    return as_float32(numbers_in(values, label), label)


def checked_sparse(tensor: Any) -> Any:
    """A tensor whose indices, if it is sparse, have been checked: torch does not, and reads beyond its memory.

    Raises:
        RuntimeError: an index is out of range.
    """
    import torch

    layout = getattr(tensor, "layout", torch.strided)
    if layout == torch.sparse_coo:
        parts = (tensor._indices(), tensor._values())
        return torch.sparse_coo_tensor(*parts, tensor.shape, check_invariants=True)
    if layout in (torch.sparse_csr, torch.sparse_bsr):
        parts = (tensor.crow_indices(), tensor.col_indices())
    elif layout in (torch.sparse_csc, torch.sparse_bsc):
        parts = (tensor.ccol_indices(), tensor.row_indices())
    else:
        return tensor
    return torch.sparse_compressed_tensor(*parts, tensor.values(), tensor.shape, layout=layout, check_invariants=True)
