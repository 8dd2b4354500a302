"""Results that are too many to hold: frames made one after the other, looked at or written to a file."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import polars as pl

from alignrec_geo.errors import InputError
from alignrec_geo.files import atomic_path
from alignrec_geo.serving.blocks import Answer, Engine, here, ranges
from alignrec_geo.serving.frame_files import frame_writer, table_to_write
from alignrec_geo.serving.kept_parts import kept_parts

Progress = Callable[[int, int], object]
"""Called with how many are done, and of how many."""


class FrameStream:
    """Frames that are computed block by block while they are read: memory is that of one block.

    Args:
        answer: computes the frame of some of those who ask, by their places.
        total: how many ask.
        size: how many are answered at once.
        schema: names and types of the columns.
        left_out: ids of those who get no answer, as they were given.
        notes: what of the request could not be used.
        inputs: files that must not be replaced.
        key: names all that decides the frames, for a file that is written in several goes.

    Example:
        >>> frame = pl.DataFrame({"user": ["ann", "ann"], "rank": [1, 2], "item": ["mug", "pen"]})
        >>> stream = FrameStream(lambda first, last: frame, 1, 1, frame.schema)
        >>> stream.to_frame().height
        2
    """

    def __init__(
        self,
        answer: Answer,
        total: int,
        size: int,
        schema: pl.Schema,
        left_out: pl.Series | None = None,
        notes: Sequence[str] = (),
        inputs: Iterable[str | os.PathLike[str] | None] = (),
        key: Callable[[], str] | None = None,
    ) -> None:
        self.answer, self.total, self.size, self.schema = answer, total, size, schema
        self.left_out = pl.Series("id", [], dtype=pl.String) if left_out is None else left_out
        self.notes, self._inputs, self._key = list(notes), list(inputs), key

    def __iter__(self) -> Iterator[pl.DataFrame]:
        """Compute the frames, one after the other."""
        return here(self.answer)(ranges(self.total, self.size))

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
        resume: bool = False,
        engine: Engine | None = None,
    ) -> int:
        """Write everything to a file, all of it or nothing, and return the number of its rows.

        Args:
            path: ``.parquet``, ``.csv``, ``.tsv`` or ``.jsonl``.
            overwrite: replace a file that is there.
            lists: one row for each who asked, with lists of what was found, the best first; in Parquet and JSON lines.
            progress: called after every block with how many are done, and of how many.
            resume: keep the blocks in a folder beside the file until all are done, and go on with those that an
                earlier call left there.
            engine: computes the blocks; this process if not given.

        Raises:
            InputError: another ending, a file that is there, lists in a text file, no file can be written there, or
                (``resume``) the folder beside it holds something else.
        """
        target = table_to_write(path, overwrite, self._inputs, lists)
        compute = engine or here(self.answer)
        if not resume:
            return self._write(target, compute(ranges(self.total, self.size)), lists, progress)
        if self._key is None:
            raise InputError("resume=True: these results cannot be written in several goes")
        with kept_parts(target, self._key(), self.size) as parts:
            every = ranges(self.total, self.size)
            missing = [number for number in range(len(every)) if number not in parts]
            done = self.total - sum(last - first for first, last in (every[number] for number in missing))
            frames = compute([every[number] for number in missing])
            for number, frame in zip(missing, frames, strict=True):
                parts.add(number, frame)
                done += every[number][1] - every[number][0]
                if progress is not None:
                    progress(done, self.total)
            return self._write(target, map(parts.read, range(len(every))), lists, None)

    def _write(self, target: Path, frames: Iterable[pl.DataFrame], lists: bool, progress: Progress | None) -> int:
        rows = 0
        schema = as_lists(pl.DataFrame(schema=self.schema)).schema if lists else self.schema
        every = ranges(self.total, self.size)
        with atomic_path(target) as staging, frame_writer(staging, target, schema) as write:
            for (_, done), frame in zip(every, frames, strict=True):
                part = as_lists(frame) if lists else frame
                write(part)
                rows += part.height
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
