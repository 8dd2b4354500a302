"""Memory of the HTTP service while it is asked everything for a long time.

    python benchmarks serve_soak

``wrk`` draws from all kinds of requests, conditions, searches and errors among them, and the run is changed every
half minute. Resident memory is read every five seconds, after a minute to warm up.
"""

import os
import signal
import tempfile
import threading
import time
from pathlib import Path
from statistics import mean
from typing import Annotated

import numpy as np
import typer
from harness.drawn_tables import draw_tables
from harness.loopback import by_status, load, service
from harness.measure import report, results_folder, say
from harness.program import run_program

from alignrec_geo.serving import save_embeddings

PATHS = [
    "/v1/recommend?user=C-USER&k=10",
    "/v1/recommend?user=C-USER&k=20&seen=keep",
    "/v1/recommend?user=nobody-USER&unknown=popular",
    "/v1/recommend?user=nobody-USER",
    "/v1/recommend?user=C-USER&where=title%20like%20%27%25ITEM%25%27",
    "/v1/similar?item=SKU-ITEM",
    "/v1/items?id=SKU-ITEM&id=SKU-1",
    "/v1/items?search=ITEM",
    "/v1/users?search=USER",
    "/v1/explain?user=C-USER&item=SKU-ITEM",
    "/health",
    "/metrics",
    "/nowhere/USER",
]


def main(
    minutes: Annotated[float, typer.Option(help="How long, beside a minute to warm up.")] = 10.0,
    users: Annotated[int, typer.Option(help="Users.")] = 100_000,
    items: Annotated[int, typer.Option(help="Items.")] = 20_000,
    connections: Annotated[int, typer.Option(help="Requests at a time.")] = 4,
    seed: Annotated[int, typer.Option(help="Seed of what is drawn.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="A few seconds; nothing is stored.")] = False,
    results: Annotated[Path | None, typer.Option(help="Folder for the result.")] = None,
) -> None:
    """Print one JSON object and store it as serve-soak.json."""
    warm, every, change = (60.0, 5.0, 30.0) if not quick else (1.0, 0.2, 1.0)
    if quick:
        minutes, users, items = 0.05, 500, 500
    tables, data = draw_tables(users, items, 10, 64, seed)
    found: dict[str, float] = {}
    memory: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        save_embeddings(run, tables, data)
        with service(run) as running:
            seconds = warm + 60 * minutes

            def ask() -> None:
                found.update(load(running, PATHS, users, items, seconds, connections, seed))

            thread, started, changed = threading.Thread(target=ask), time.monotonic(), 0
            thread.start()
            while thread.is_alive():
                time.sleep(every)
                spent = time.monotonic() - started
                if spent > warm:
                    memory.append(running.memory_mb())
                if spent > (changed + 1) * change and spent < seconds - 5:
                    os.utime(run / "embeddings.safetensors")  # another identity: it is opened again
                    os.kill(running.process.pid, signal.SIGHUP)
                    changed += 1
            thread.join()
            statuses = by_status(running)
    tenth = max(1, len(memory) // 10)
    first, last = mean(memory[:tenth]), mean(memory[-tenth:])
    slope = float(np.polyfit(np.arange(len(memory)) * every / 60, memory, 1)[0]) if len(memory) > 1 else 0.0
    say(f"{found['requests']:,.0f} requests, {changed} changes: {first:.0f} MB, then {last:.0f} MB")
    content = {
        "minutes": minutes,
        "requests": found["requests"],
        "statuses": statuses,
        "changes": changed,
        "first_mb": first,
        "last_mb": last,
        "largest_mb": max(memory),
        "mb_per_minute": slope,
        "memory_mb": memory[:: max(1, len(memory) // 40)],
        "kinds": PATHS,
        "shape": {"users": users, "items": items, "dim": 64, "connections": connections},
        "seed": seed,
    }
    report("serve-soak", content, results_folder(quick, results))


if __name__ == "__main__":
    run_program(main)
