"""How encoders run on a device: copies that do not wait, and half precision where it is fast."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

Output = TypeVar("Output", bound=tuple[Tensor, ...])


def on_device(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the CPU on ``device``; to a GPU through pinned memory, while the GPU works on."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def in_half_precision(encode: Callable[[], Output], device: torch.device) -> Output:
    """Run an encoder under float16 autocast on a GPU; on a CPU, and where that overflows, in float32.

    Args:
        encode: the forward pass; returns a tuple of tensors.
        device: where it runs.
    """
    if device.type == "cuda":
        with torch.autocast("cuda", torch.float16):
            found = encode()
        if all(bool(torch.isfinite(part).all()) for part in found):
            return found
    return encode()
