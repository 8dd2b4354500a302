"""Results that are too many to hold: frames made one after the other, looked at or written to a file."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence

import polars as pl

from alignrec_geo.files import atomic_path
from alignrec_geo.serving.frame_files import frame_writer, table_to_write

Progress = Callable[[int, int], object]
"""Called with how many are done, and of how many."""
Block = tuple[pl.DataFrame, int]
"""A frame, and how many of those who asked it answers."""


class FrameStream:
    """Frames that are computed block by block while they are read: memory is that of one block.

    Args:
        blocks: starts the computation.
        total: how many are asked for.
        schema: names and types of the columns.
        left_out: ids of those who get no answer, as they were given.
        notes: what of the request could not be used.
        inputs: files that must not be replaced.

    Example:
        >>> frame = pl.DataFrame({"user": ["ann", "ann"], "rank": [1, 2], "item": ["mug", "pen"]})
        >>> stream = FrameStream(lambda: iter([(frame, 1)]), 1, frame.schema)
        >>> stream.to_frame().height
        2
    """

    def __init__(
        self,
        blocks: Callable[[], Iterator[Block]],
        total: int,
        schema: pl.Schema,
        left_out: pl.Series | None = None,
        notes: Sequence[str] = (),
        inputs: Iterable[str | os.PathLike[str] | None] = (),
    ) -> None:
        self._blocks, self.total, self.schema = blocks, total, schema
        self.left_out = pl.Series("id", [], dtype=pl.String) if left_out is None else left_out
        self.notes, self._inputs = list(notes), list(inputs)

    def __iter__(self) -> Iterator[pl.DataFrame]:
        """Compute the frames, one after the other."""
        return (frame for frame, _ in self._blocks())

    def __len__(self) -> int:
        """How many get an answer."""
        return self.total - len(self.left_out)

    def to_frame(self) -> pl.DataFrame:
        """All frames as one, in memory."""
        frames: list[pl.DataFrame] = [pl.DataFrame(schema=self.schema), *self]
        return pl.concat(frames)

    def write(
        self,
        path: str | os.PathLike[str],
        overwrite: bool = False,
        lists: bool = False,
        progress: Progress | None = None,
    ) -> int:
        """Write everything to a file, all of it or nothing, and return the number of its rows.

        Args:
            path: ``.parquet``, ``.csv``, ``.tsv`` or ``.jsonl``.
            overwrite: replace a file that is there.
            lists: one row for each who asked, with lists of what was found, the best first; in Parquet and JSON lines.
            progress: called after every block with how many are done, and of how many.

        Raises:
            InputError: another ending, a file that is there, lists in a text file, or no file can be written there.
        """
        target = table_to_write(path, overwrite, self._inputs, lists)
        rows = done = 0
        schema = as_lists(pl.DataFrame(schema=self.schema)).schema if lists else self.schema
        with atomic_path(target) as staging, frame_writer(staging, target, schema) as write:
            for frame, count in self._blocks():
                part = as_lists(frame) if lists else frame
                write(part)
                rows, done = rows + part.height, done + count
                if progress is not None:
                    progress(done, self.total)
        return rows


def as_lists(frame: pl.DataFrame) -> pl.DataFrame:
    """One row for each value of the first column, with the other columns but ``rank`` as lists, in their order.

    Example:
        >>> as_lists(pl.DataFrame({"user": [7, 7, 3], "rank": [1, 2, 1], "item": ["a", "b", "c"]})).rows()
        [(7, ['a', 'b']), (3, ['c'])]
    """
    key = frame.columns[0]
    return frame.group_by(key, maintain_order=True).agg(pl.all().exclude("rank"))
