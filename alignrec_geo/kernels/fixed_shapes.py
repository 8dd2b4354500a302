"""Whether a step may use shapes that depend on the batch's values."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

_forced: bool | None = None


def fixed_shapes(device: torch.device) -> bool:
    """Return whether shapes on ``device`` must follow from the batch size alone.

    On a CPU a batch's repeated ids are computed once, which saves time. On a GPU the host would have to wait for their
    number in every step, and a step of varying shapes cannot be one CUDA graph: there every row is computed, and what
    does not count has the weight 0.

    Example:
        >>> fixed_shapes(torch.device("cpu"))
        False
    """
    return device.type != "cpu" if _forced is None else _forced


@contextmanager
def use_fixed_shapes(on: bool = True) -> Iterator[None]:
    """Force the answer of :func:`fixed_shapes` within a block, for tests and for ``torch.export``.

    Example:
        >>> with use_fixed_shapes():
        ...     fixed_shapes(torch.device("cpu"))
        True
    """
    global _forced
    before, _forced = _forced, on
    try:
        yield
    finally:
        _forced = before
