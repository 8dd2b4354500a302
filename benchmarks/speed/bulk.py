"""Recommendations for everybody into a file, against the bare product and top-k; memory of the whole run.

    python benchmarks bulk
    python benchmarks bulk --whole      # all users once, in the process whose memory is measured

Time: the same slices of users in turns, from drawn tables of the full size. The rivals write nothing and know no ids
and no seen items: ``bare`` is ``torch.mm`` and ``torch.topk`` in blocks of 8 M scores, ``kernel`` this project's own
ranking. Memory: a process of its own opens a run folder and writes all users, or as many as the slices hold.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from harness.drawn_tables import draw_tables
from harness.measure import Measured, interleave, report, results_folder, say
from harness.program import run_program
from harness.workers import BENCHMARKS

from alignrec_geo.files import read_object
from alignrec_geo.kernels.topk import BLOCK_SCORES, blocked_top_k
from alignrec_geo.serving import TopItems, save_embeddings


def main(
    users: Annotated[int, typer.Option(help="Users.")] = 1_000_000,
    items: Annotated[int, typer.Option(help="Items.")] = 200_000,
    per_user: Annotated[int, typer.Option(help="Interactions of each user.")] = 10,
    dim: Annotated[int, typer.Option(help="Width of the tables.")] = 64,
    k: Annotated[int, typer.Option("-k", "--k", help="Items per user.")] = 20,
    size: Annotated[int, typer.Option(help="Users of a slice.")] = 4096,
    rounds: Annotated[int, typer.Option(help="Slices.")] = 8,
    whole: Annotated[bool, typer.Option("--whole", help="Measure memory over all users, not over the slices.")] = False,
    clock: Annotated[str, typer.Option(help="wall, or cpu for a machine that others use too.")] = "cpu",
    seed: Annotated[int, typer.Option(help="Seed of what is drawn.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="A tiny shape, two slices; nothing is stored.")] = False,
    results: Annotated[Path | None, typer.Option(help="Folder for the result.")] = None,
) -> None:
    """Print one JSON object and store it as bulk.json."""
    if quick:
        users, items, size, rounds = 600, 800, 200, 2
    tables, data = draw_tables(users, items, per_user, dim, seed)
    with tempfile.TemporaryDirectory() as folder:
        save_embeddings(Path(folder) / "run", tables, data)
        measured = users if whole else min(users, size * rounds)
        say(f"writing {measured:,} of {users:,} users in a process of its own")
        alone = in_a_process(Path(folder), measured, k, clock)
        times = interleave(contestants(TopItems(tables, data), Path(folder), size, k, clock), rounds)
    seconds = {name: timing.as_json() for name, timing in times.items()}
    content: dict[str, Any] = {
        "ratio": times["parquet"].median / times["bare"].median,
        "ratios": {
            f"{name} against {rival}": times[name].median / times[rival].median
            for name in ("parquet", "lists")
            for rival in ("bare", "kernel")
        },
        "seconds_per_slice": seconds,
        "users_per_slice": size,
        "extrapolated_seconds": {name: timing.median * users / size for name, timing in times.items()},
        "extrapolated": f"from slices of {size} users to {users}",
        "one_process": alone,
        "shape": {"users": users, "items": items, "interactions": len(data.interactions), "dim": dim, "k": k},
        "clock": clock,
        "seed": seed,
    }
    report("bulk", content, results_folder(quick, results))


def contestants(top: TopItems, folder: Path, size: int, k: int, clock: str) -> dict[str, Callable[[], object]]:
    """The calls, each of which takes the next slice of users."""
    now = time.process_time if clock == "cpu" else time.perf_counter
    users, items = top.embeddings
    ids, block = top.dataset.users["id"], max(1, BLOCK_SCORES // len(items))
    buffer = torch.empty(block, len(items))

    def bare(rows: slice) -> None:
        for part in users[rows].split(block):
            torch.mm(part, items.T, out=buffer[: len(part)]).topk(k)

    def kernel(rows: slice) -> None:
        for _ in blocked_top_k(users, items, torch.arange(rows.start, rows.stop), k):
            pass

    def written(lists: bool) -> Callable[[slice], None]:
        file = folder / "slice.parquet"

        def write(rows: slice) -> None:
            top.recommend_all(ids[rows], k).write(file, overwrite=True, lists=lists)

        return write

    def timed(call: Callable[[slice], None]) -> Callable[[], Measured]:
        turn = iter(range(0, 1 << 60, size))

        def run() -> Measured:
            first = next(turn) % max(1, len(ids) - size + 1)
            started = now()
            call(slice(first, first + size))
            return Measured(now() - started)

        return run

    calls = {"bare": bare, "kernel": kernel, "parquet": written(lists=False), "lists": written(lists=True)}
    return {name: timed(call) for name, call in calls.items()}


def in_a_process(folder: Path, measured: int, k: int, clock: str) -> dict[str, Any]:
    """Open the run and write recommendations in a process of its own: seconds, and memory at most."""
    program = [sys.executable, str(BENCHMARKS), "bulk_process", str(folder), str(measured), str(k), clock]
    subprocess.run(program, check=True)
    return read_object(folder / "measured.json")


if __name__ == "__main__":
    run_program(main)
