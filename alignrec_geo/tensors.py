"""Safetensors files, read through one boundary."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open

from alignrec_geo.errors import InputError
from alignrec_geo.reading import check_plain_file, reading

if TYPE_CHECKING:
    from torch import Tensor  # slow to import, and many commands need none

KIND = "safetensors file"


def read_tensors(path: Path, needed: Collection[str] = ()) -> tuple[dict[str, "Tensor"], dict[str, str]]:
    """Read all tensors of a safetensors file, and its header.

    Args:
        path: the file.
        needed: names that must be in it.

    Raises:
        InputError: the file is missing or damaged, or a needed tensor is not in it.
    """
    check_plain_file(path, KIND)
    with reading(path, KIND), safe_open(path, framework="pt") as stored:
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        header = stored.metadata() or {}
    missing = next((name for name in needed if name not in tensors), None)
    if missing is not None:
        raise InputError(f"{path}: has no tensor '{missing}'; there are: {', '.join(sorted(tensors)[:10]) or 'none'}")
    return tensors, header


def as_array(tensor: "Tensor") -> NDArray[np.generic]:
    """A tensor as NumPy has it; kinds of floats that NumPy does not know (bfloat16, float8) become float32, exactly.

    Example:
        >>> import torch
        >>> as_array(torch.tensor([1.5], dtype=torch.bfloat16)).dtype
        dtype('float32')
    """
    unknown = tensor.dtype.is_floating_point and (tensor.element_size() == 1 or str(tensor.dtype) == "torch.bfloat16")
    array: NDArray[np.generic] = (tensor.float() if unknown else tensor).numpy()
    return array


def plain_array(values: Any) -> NDArray[np.generic]:
    """What a caller gives as an array: NumPy, lists, or a tensor of any kind, on any device, sparse or not.

    Example:
        >>> import torch
        >>> plain_array(torch.ones(1, 2, dtype=torch.bfloat16, requires_grad=True)).tolist()
        [[1.0, 1.0]]
    """
    if hasattr(values, "detach"):  # a tensor, without importing torch to know it
        return as_array(values.detach().cpu().to_dense())
    return np.asarray(values)
