"""Where to compute: one choice of a device for every setting, function and verb."""

import re
from typing import Any, NamedTuple

import torch

from alignrec_geo.errors import InputError

AUTO = "auto"
ALLOWED = "auto, cpu, cuda, or cuda:NUMBER"
_NAME = re.compile(r"auto|cpu|cuda(:\d{1,3})?")


class GPU(NamedTuple):
    """One GPU of this machine.

    Args:
        device: what it is called: ``cuda:0``.
        name: of the product.
        free: bytes of its memory that are free.
        total: bytes of its memory.
    """

    device: str
    name: str
    free: int
    total: int


def device_name(name: Any) -> str:
    """Return a device's name if it is one, whether or not this machine has the device.

    Raises:
        ValueError: it is none.

    Example:
        >>> device_name("cuda:1")
        'cuda:1'
    """
    if not _NAME.fullmatch(str(name)):
        raise ValueError(f"allowed: {ALLOWED}")
    return str(name)


def choose_device(name: str | torch.device = AUTO) -> torch.device:
    """Return the device that a name means on this machine.

    Args:
        name: ``cpu``, ``cuda`` (torch's current GPU), ``cuda:1``, or ``auto``: a GPU where there is one, else the CPU.

    Raises:
        InputError: it is no such name, or this machine does not have the device.

    Example:
        >>> choose_device("cpu")
        device(type='cpu')
    """
    try:
        wanted = device_name(name)
    except ValueError as error:
        raise InputError(f"device: {error} (got {str(name)!r:.40})") from None
    there = torch.cuda.is_available()
    if wanted == AUTO:
        return torch.device("cuda" if there else "cpu")
    device = torch.device(wanted)
    if device.type == "cuda" and not there:
        raise InputError(f"device: torch {torch.__version__} finds no GPU here; use auto or cpu (got '{wanted}')")
    if device.index is not None and device.index >= (count := torch.cuda.device_count()):
        has = ", ".join(f"cuda:{index} ({torch.cuda.get_device_name(index)})" for index in range(count))
        raise InputError(f"device: this machine has {has} (got '{wanted}')")
    return device


def gpus() -> list[GPU]:
    """The GPUs that torch can use here, with their free memory now."""
    found = []
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        free, total = torch.cuda.mem_get_info(index)
        found.append(GPU(f"cuda:{index}", torch.cuda.get_device_name(index), free, total))
    return found
