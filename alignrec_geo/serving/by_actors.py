"""Recommendations for many by actors that each hold the tables; the frames are those of this process."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from alignrec_geo.actors import Pool
from alignrec_geo.serving.blocks import Engine, Range
from alignrec_geo.serving.frame_stream import FrameStream
from alignrec_geo.serving.store import load_top_items


def recommend_by(pool: Pool, run: Path, opened: dict[str, Any], asked: dict[str, Any]) -> Engine:
    """An engine for :meth:`~alignrec_geo.serving.FrameStream.write` of what ``recommend_all`` returns.

    Every actor opens the run folder, so in a cluster it must be on a shared disk. Blocks are those of this process,
    ranked by the same kernel; an actor that ends is replaced, and its block ranked again.

    Args:
        pool: the actors.
        run: the run folder.
        opened: arguments of :func:`~alignrec_geo.serving.load_top_items` beside it.
        asked: arguments of :meth:`~alignrec_geo.serving.TopItems.recommend_all`.

    Example:
        >>> asked = {"k": 20}
        >>> stream = load_top_items("runs/shop").recommend_all(**asked)  # doctest: +SKIP
        >>> engine = recommend_by(Pool(actors=8, address="auto"), Path("runs/shop"), {}, asked)
        >>> stream.write("recommendations.parquet", engine=engine, resume=True)  # doctest: +SKIP
    """
    return partial(_frames, pool, partial(_answering, run.absolute(), opened, asked))


def _frames(pool: Pool, make: Callable[[], Any], wanted: Sequence[Range]) -> Iterator[pl.DataFrame]:
    tasks = [{"first": first, "last": last} for first, last in wanted]
    return (pl.DataFrame(pl.from_arrow(table)) for table in pool.map(make, tasks))


def _answering(run: Path, opened: dict[str, Any], asked: dict[str, Any]) -> Callable[[Any], Any]:
    """What an actor does with a task."""
    stream: FrameStream = load_top_items(run, **opened).recommend_all(**asked)

    def work(tasks: Any) -> Any:
        frames = [stream.answer(task["first"], task["last"]) for task in tasks.to_pylist()]
        return pl.concat(frames).to_arrow()

    return work
