"""Open a run and write recommendations for its users: what one process needs; started by ``python benchmarks bulk``."""

import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from harness.program import run_program
from harness.workers import memory

from alignrec_geo.files import write_json
from alignrec_geo.serving import load_top_items


class Enough(Exception):
    """As many users as were asked for are written."""


def main(
    folder: Annotated[Path, typer.Argument(help="Folder with the run.")],
    measured: Annotated[int, typer.Argument(help="Users to write at least.")],
    k: Annotated[int, typer.Argument(help="Items per user.")],
    clock: Annotated[str, typer.Argument(help="wall or cpu.")],
) -> None:
    """Write measured.json: seconds and peak memory."""
    now = time.process_time if clock == "cpu" else time.perf_counter
    started = now()
    top = load_top_items(folder / "run")
    opened = now()
    peak_open = memory("VmHWM")
    written = 0

    def progress(done: int, total: int) -> None:
        nonlocal written
        written = done
        if done >= measured and done < total:
            raise Enough

    with suppress(Enough):
        top.recommend_all(k=k).write(folder / "all.parquet", progress=progress)
    result = {
        "users": written,
        "open_seconds": opened - started,
        "seconds": now() - opened,
        "peak_memory_gb": memory("VmHWM") / 1e9,
        "peak_memory_after_opening_gb": peak_open / 1e9,
    }
    file = folder / "all.parquet"
    write_json(folder / "measured.json", {**result, "file_gb": file.stat().st_size / 1e9 if file.exists() else None})


if __name__ == "__main__":
    run_program(main)
