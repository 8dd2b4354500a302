"""What an encoder makes of some images or texts, wherever it runs."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Batch = Sequence[int]
"""Places of what is encoded at once."""
Engine = Callable[[Sequence[Sequence[Batch]]], Iterator[Iterable["Encoded"]]]
"""Encodes the batches of chunks; gives what it made of each chunk, in their order."""


@dataclass(frozen=True)
class Encoded:
    """Some images or texts, encoded.

    Args:
        places: which they are.
        states: of each, the states of its tokens or the cells of its map, ``[T, C]`` float16.
        pooled: one vector each, ``[n, D]`` float32.
        broken: why others could not be read, by their places.
    """

    places: list[int]
    states: Sequence[NDArray[Any]]
    pooled: NDArray[Any]
    broken: dict[int, str] = field(default_factory=dict)

    def to_arrow(self) -> Any:
        """A table with one row each: ``place``, ``why`` it could not be read, ``states`` and ``pooled`` as lists."""
        import pyarrow as pa

        nothing = [None] * len(self.broken)
        return pa.table(
            {
                "place": pa.array([*self.places, *self.broken], pa.int64()),
                "why": pa.array([None] * len(self.places) + list(self.broken.values()), pa.string()),
                "states": pa.array([*(part.ravel() for part in self.states), *nothing], pa.list_(pa.float16())),
                "pooled": pa.array([*self.pooled, *nothing], pa.list_(pa.float32())),
            }
        )

    @classmethod
    def from_arrow(cls, table: Any, width: int) -> "Encoded":
        """The same from the table; ``width`` is that of a state."""
        whys, places = table["why"].to_pylist(), table["place"].to_pylist()
        whole = [row for row, why in enumerate(whys) if why is None]
        states, pooled = table["states"].combine_chunks(), table["pooled"].combine_chunks()
        return cls(
            [places[row] for row in whole],
            [_numbers(states, row).reshape(-1, width) for row in whole],
            np.stack([_numbers(pooled, row) for row in whole]) if whole else np.empty((0, 0), dtype=np.float32),
            {places[row]: why for row, why in enumerate(whys) if why is not None},
        )


def _numbers(lists: Any, row: int) -> NDArray[Any]:
    numbers: NDArray[Any] = lists[row].values.to_numpy(zero_copy_only=False)
    return numbers
