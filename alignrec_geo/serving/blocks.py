"""What is computed block by block: by this process, or by whatever else gives the same frames."""

from collections.abc import Callable, Iterator, Sequence

import polars as pl

Range = tuple[int, int]
"""The first of those who ask, and the one after the last, by their places."""
Answer = Callable[[int, int], pl.DataFrame]
"""Gives the frame of a range."""
Engine = Callable[[Sequence[Range]], Iterator[pl.DataFrame]]
"""Gives the frames of ranges, in their order."""


def ranges(total: int, size: int) -> list[Range]:
    """Ranges that cover all who ask.

    Example:
        >>> ranges(total=5, size=2)
        [(0, 2), (2, 4), (4, 5)]
    """
    return [(first, min(first + size, total)) for first in range(0, total, size)]


def here(answer: Answer) -> Engine:
    """The engine of this process: one range after the other, each when it is asked for."""
    return lambda wanted: (answer(first, last) for first, last in wanted)
