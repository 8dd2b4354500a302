"""What every launch needs: the right device, and tile sizes."""

from contextlib import AbstractContextManager, nullcontext

import torch
import triton
from torch import Tensor

INTERPRETED: bool = bool(triton.knobs.runtime.interpret)
"""Whether the kernels were made for the interpreter. Triton decides that once, when they are defined."""


def on_device_of(tensor: Tensor) -> AbstractContextManager[object]:
    """Launch on the device of ``tensor`` within a block; the interpreter needs none."""
    return torch.cuda.device(tensor.device) if tensor.is_cuda else nullcontext()


def padded(width: int, least: int, most: int) -> int:
    """Return the power of two that holds ``width``, between ``least`` and ``most``.

    Example:
        >>> padded(50, 16, 128), padded(3, 16, 128), padded(1000, 16, 128)
        (64, 16, 128)
    """
    return max(least, min(most, 1 << max(width - 1, 0).bit_length()))
