"""One request for recommendations against the bare product and top-k, from ten thousand users to a million.

    python benchmarks one_request

The rival knows no ids, titles or seen items: ``(users[row] @ items.T).topk(k)``, as lists. Every user of a round is
another one; the requests of all contestants take turns.
"""

import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Annotated, Any

import typer
from harness.drawn_tables import draw_tables
from harness.measure import Measured, Timing, interleave, report, results_folder, say
from harness.program import run_program

from alignrec_geo.serving import TopItems

SIZES = "10000,400000,1000000"


def main(
    sizes: Annotated[str, typer.Option("--users", help="Numbers of users, comma-separated.")] = SIZES,
    items: Annotated[int, typer.Option(help="Items.")] = 20_000,
    per_user: Annotated[int, typer.Option(help="Interactions of each user.")] = 10,
    dim: Annotated[int, typer.Option(help="Width of the tables.")] = 64,
    k: Annotated[int, typer.Option("-k", "--k", help="Items per request.")] = 10,
    rounds: Annotated[int, typer.Option(help="Timed rounds.")] = 300,
    clock: Annotated[str, typer.Option(help="wall, or cpu for a machine that others use too.")] = "cpu",
    seed: Annotated[int, typer.Option(help="Seed of what is drawn.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="Few users, few rounds; nothing is stored.")] = False,
    results: Annotated[Path | None, typer.Option(help="Folder for the result.")] = None,
) -> None:
    """Print one JSON object and store it as one-request.json."""
    if quick:
        sizes, items, rounds = "500,1000", 2_000, 5
    rows = []
    for users in map(int, sizes.split(",")):
        rows.append(measure(users, items, per_user, dim, k, rounds, clock, seed))
        say(f"{users:,} users: {rows[-1]['ratio']:.2f} times the bare product and top-k")
    content = {
        "ratio": max(row["ratio"] for row in rows),
        "rows": rows,
        "shape": {"items": items, "per_user": per_user, "dim": dim, "k": k},
        "clock": clock,
        "seed": seed,
    }
    report("one-request", content, results_folder(quick, results))


def measure(
    users: int, items: int, per_user: int, dim: int, k: int, rounds: int, clock: str, seed: int
) -> dict[str, Any]:
    """Time requests of one size of data; the first one makes the look-up tables and is told apart."""
    now = time.process_time if clock == "cpu" else time.perf_counter
    tables, data = draw_tables(users, items, per_user, dim, seed)
    top, ids = TopItems(tables, data), data.users["id"].to_list()
    few = data.items["id"][:: items // 100].to_list()
    started = now()
    top.recommend(ids[0], k)
    first = now() - started

    def timed(call: Callable[[int], object]) -> Callable[[], Measured]:
        turn = count(1)

        def run() -> Measured:
            row = next(turn) * 7919 % users
            started = now()
            call(row)
            return Measured(now() - started)

        return run

    def bare(row: int) -> tuple[Any, Any]:
        value, column = (tables.users[row] @ tables.items.T).topk(k)
        return value.tolist(), column.tolist()

    calls: dict[str, Callable[[int], object]] = {
        "bare": bare,
        "recommend": lambda row: top.recommend(ids[row], k),
        "popular": lambda row: top.recommend("nobody", k, unknown="popular"),
        "among 100 items": lambda row: top.recommend(ids[row], k, only_items=few),
    }
    times: dict[str, Timing] = interleave({name: timed(call) for name, call in calls.items()}, rounds, warmup=5)
    return {
        "users": users,
        "interactions": len(data.interactions),
        "ratio": times["recommend"].median / times["bare"].median,
        "first_request_seconds": first,
        "seconds": {name: timing.as_json() for name, timing in times.items()},
    }


if __name__ == "__main__":
    run_program(main)
