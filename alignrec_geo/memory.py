"""Memory that runs out, on the CPU or on a GPU, as one error that names what to lower."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from alignrec_geo.errors import InputError

NO_MEMORY = ("allocate memory", "not enough memory", "out of memory", "integer multiplication overflow", "overflowed")
"""Parts of what torch says, in whatever type of error, when memory or the count of bytes runs out."""
_ON_GPU = re.compile(r"(CUDA|HIP) out of memory|CUDA error: out of memory|CUBLAS_STATUS_ALLOC_FAILED")
_WANTED = re.compile(r"Tried to allocate ([\d.]+ [KMGT]iB)")
_FREE = re.compile(
    r"GPU (\d+) has a total capacity of ([\d.]+ [KMGT]iB) of which ([\d.]+ [KMGT]iB|[\d.]+ bytes) is free"
)


@contextmanager
def enough_memory(what: str, lower: str = "dim, batch_size or layers") -> Iterator[None]:
    """Turn torch's many ways of saying that memory ran out into one error.

    Args:
        what: what is done in the block, for the message.
        lower: the settings that decide how much is needed.

    Raises:
        InputError: memory ran out.

    Example:
        >>> with enough_memory("training"):
        ...     raise MemoryError
        Traceback (most recent call last):
        alignrec_geo.errors.InputError: training: not enough memory; smaller dim, batch_size or layers need less
    """
    try:
        yield
    except (MemoryError, RuntimeError, OverflowError) as error:
        said = no_memory(error, lower)
        if said is None:
            raise
        raise InputError(f"{what}: {said}") from None


def no_memory(error: BaseException, lower: str) -> str | None:
    """What to say of an error if it says that memory ran out, ``None`` of every other.

    Args:
        error: what was raised.
        lower: the settings that decide how much is needed.

    Example:
        >>> no_memory(RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB."), "batch_size")
        "the GPU's memory ran out (2.00 GiB more needed); lower batch_size, or use device=cpu"
    """
    if said := gpu_memory(error, lower):
        return said
    if isinstance(error, MemoryError) or any(part in str(error) for part in NO_MEMORY):
        return f"not enough memory; smaller {lower} need less"
    return None


def gpu_memory(error: BaseException, lower: str) -> str | None:
    """What to say of an error if it says that a GPU's memory ran out, ``None`` of every other."""
    text = str(error)
    if not _ON_GPU.search(text):
        return None
    wanted, free = _WANTED.search(text), _FREE.search(text)
    facts = [f"{wanted[1]} more needed"] if wanted else []
    facts += [f"{free[3]} of {free[2]} free on cuda:{free[1]}"] if free else []
    detail = f" ({', '.join(facts)})" if facts else ""
    return f"the GPU's memory ran out{detail}; lower {lower}, or use device=cpu"
