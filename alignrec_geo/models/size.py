"""Memory that settings would need, asked before anything is allocated."""

import os
from collections.abc import Mapping
from pathlib import Path

from alignrec_geo.errors import InputError

BYTES = 4
COPIES = 4
"""A trained number, its gradient and Adam's two moments."""


def check_memory(needs: Mapping[str, int], what: str) -> None:
    """Refuse settings that need more memory than this machine has available.

    Args:
        needs: bytes by setting, written as ``name=value``.
        what: who needs them, for the message.

    Raises:
        InputError: names the setting that needs most, and both amounts.

    Example:
        >>> check_memory({"dim=64": 1 << 20}, "BPR")
    """
    there = available_memory()
    if there is not None and sum(needs.values()) > there:
        setting = max(needs, key=lambda name: needs[name])
        raise InputError(
            f"{what}: {setting} needs at least {in_words(needs[setting])} of memory; this machine has "
            f"{in_words(there)} available"
        )


def trained(numbers: int) -> int:
    """The bytes of numbers that are trained: values, gradients and Adam's two moments."""
    return BYTES * COPIES * numbers


def available_memory() -> int | None:
    """Bytes that a new program can have here, ``None`` if the system does not say."""
    bounds = []
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        bounds += [int(line.split()[1]) << 10 for line in lines if line.startswith(("MemAvailable:", "SwapFree:"))]
    except (OSError, ValueError, IndexError):
        pass
    total = sum(bounds)
    if not total:
        try:
            total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (OSError, ValueError, AttributeError):
            return None
    try:
        return min(total, int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")))
    except (OSError, ValueError):  # no such file, or "max"
        return total


def in_words(count: int) -> str:
    """Bytes as people read them.

    Example:
        >>> in_words(3_200_000_000), in_words(10)
        ('3.2 GB', '10 B')
    """
    value, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB", "PB", "EB"):
        if value < 1000.0:
            break
        value, unit = value / 1000.0, larger
    return f"{value:.3g} {unit}"
