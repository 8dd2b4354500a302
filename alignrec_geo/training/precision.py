"""How exactly a training step multiplies: tables, sums and the optimiser stay float32."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch

from alignrec_geo.errors import InputError

Precision = Literal["float32", "tf32", "bf16"]


def check_precision(precision: Precision, device: torch.device) -> None:
    """Check that a device multiplies in a precision.

    Raises:
        InputError: it does not.
    """
    if precision == "tf32" and not (device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)):
        raise InputError(f"precision 'tf32' needs an NVIDIA GPU of compute capability 8.0 or newer (got {device})")
    if precision == "bf16" and not (device.type == "cpu" and _has_bf16()):
        raise InputError(
            "precision 'bf16' needs a CPU with bfloat16 instructions (AVX512_BF16 or AMX) and torch 2.9 or newer "
            f"(got {device}); on a GPU there is 'tf32'"
        )


@contextmanager
def use_precision(precision: Precision, device: torch.device) -> Iterator[None]:
    """Round the factors of float32 matrix products within the block; results and their sums stay float32.

    Args:
        precision: ``float32`` rounds nothing; ``tf32`` keeps 10 bits of the mantissa on a GPU, ``bf16`` 7 on a CPU.
        device: where the block computes.

    Raises:
        InputError: the device does not multiply in it.

    Example:
        >>> with use_precision("float32", torch.device("cpu")):
        ...     product = torch.ones(2, 2) @ torch.ones(2, 2)
    """
    check_precision(precision, device)
    if precision == "float32":
        yield
        return
    backends: Any = torch.backends
    switch = backends.cuda.matmul if precision == "tf32" else backends.mkldnn.matmul
    name, value = ("allow_tf32", True) if precision == "tf32" else ("fp32_precision", "bf16")
    before = getattr(switch, name)
    setattr(switch, name, value)
    try:
        yield
    finally:
        setattr(switch, name, before)


def _has_bf16() -> bool:
    instructions = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    supported = any(getattr(torch.cpu, name, bool)() for name in instructions)
    return supported and torch.backends.mkldnn.is_available() and hasattr(torch.backends.mkldnn, "matmul")
