"""The HTTP service against an empty answer and against a call in Python; and while the run is changed.

    python benchmarks serve

For every number of users: ``wrk`` asks the service (``GET /v1/recommend``, another user each time) and a FastAPI
application that answers ``{}``, in turns, and the same calls of ``TopItems`` run in this process. Processor time of the
service per request is told too: it does not depend on what else the machine does. Then answers are compared with
``TopItems``, all of them exactly, also while another run takes the first one's place again and again.
"""

import http.client
import json
import os
import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from typing import Annotated, Any
from urllib.parse import quote

import typer
from harness.drawn_tables import draw_tables
from harness.loopback import Running, empty_service, load, service
from harness.measure import report, results_folder, say
from harness.program import run_program

from alignrec_geo.dataset import Dataset
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.serving import TopItems, save_embeddings

SIZES = "10000,100000,1000000"
ASK = "/v1/recommend?user=C-USER&k=10"


def main(
    sizes: Annotated[str, typer.Option("--users", help="Numbers of users, comma-separated.")] = SIZES,
    items: Annotated[int, typer.Option(help="Items.")] = 20_000,
    per_user: Annotated[int, typer.Option(help="Interactions of each user.")] = 10,
    dim: Annotated[int, typer.Option(help="Width of the tables.")] = 64,
    rounds: Annotated[int, typer.Option(help="Rounds, each of both contestants.")] = 5,
    seconds: Annotated[float, typer.Option(help="Seconds of one contestant in a round.")] = 4.0,
    connections: Annotated[int, typer.Option(help="Requests at a time.")] = 8,
    changes: Annotated[int, typer.Option(help="Changes to another run under load.")] = 20,
    seed: Annotated[int, typer.Option(help="Seed of what is drawn.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="Few users, short rounds; nothing is stored.")] = False,
    results: Annotated[Path | None, typer.Option(help="Folder for the result.")] = None,
) -> None:
    """Print one JSON object and store it as serve.json."""
    if quick:
        sizes, items, rounds, seconds, changes = "500", 2_000, 1, 0.5, 2
    rows = []
    with empty_service() as empty:
        for users in map(int, sizes.split(",")):
            tables, data = draw_tables(users, items, per_user, dim, seed)
            with tempfile.TemporaryDirectory() as folder:
                save_embeddings(Path(folder) / "run", tables, data)
                with service(Path(folder) / "run") as running:
                    top = TopItems(tables, data)
                    rows.append(
                        {"users": users, **measured(running, empty, top, users, items, rounds, seconds, connections)}
                    )
            say(
                f"{users:,} users: {rows[-1]['share']:.2f} of the empty answer's requests, "
                f"{rows[-1]['cpu_share']:.2f} by processor time"
            )
    few = int(sizes.split(",")[0])
    reloads = under_change(few, items, per_user, dim, changes, seed)
    answers, wrong, failed = (reloads[name] for name in ("answers", "wrong", "failed"))
    say(f"{answers:,} answers during {changes} changes, {wrong} wrong, {failed} failed")
    content = {
        "share": min(row["share"] for row in rows),
        "cpu_share": min(row["cpu_share"] for row in rows),
        "rows": rows,
        "reloads": reloads,
        "shape": {"items": items, "per_user": per_user, "dim": dim, "k": 10, "connections": connections},
        "seed": seed,
    }
    report("serve", content, results_folder(quick, results))


def measured(
    running: Running, empty: Running, top: TopItems, users: int, items: int, rounds: int, seconds: float, at_once: int
) -> dict[str, Any]:
    """Both contestants in turns, calls of ``TopItems`` between them, and the answers of 200 users."""
    asked: list[dict[str, float]] = []
    nothing: list[dict[str, float]] = []
    calls: list[float] = []
    for number in range(rounds + 1):
        pair = (
            load(empty, ["/"], users, items, seconds, at_once, number),
            load(running, [ASK], users, items, seconds, at_once, number),
        )
        started, count = time.process_time(), 0
        while time.process_time() - started < seconds / 8:
            top.recommend(f"C-{(count * 7919 + number) % users}", 10)
            count += 1
        if number:  # the first round warms up
            nothing.append(pair[0])
            asked.append(pair[1])
            calls.append(1e3 * (time.process_time() - started) / count)
    wrong = sum(
        running.get(f"/v1/recommend?user={quote(user)}&k=10")["items"] != plain(top, user)
        for user in (f"C-{number * 104729 % users}" for number in range(200))
    )
    middle = {
        name: {key: median(one[key] for one in each) for key in ("per_second", "p50", "p99", "cpu_ms")}
        for name, each in (("service", asked), ("empty", nothing))
    }
    return {
        "share": median(one["per_second"] / other["per_second"] for one, other in zip(asked, nothing, strict=True)),
        "cpu_share": middle["empty"]["cpu_ms"] / middle["service"]["cpu_ms"],
        **middle,
        "call_cpu_ms": median(calls),
        "requests": int(sum(one["requests"] for one in asked)),
        "failed": int(sum(one["failed"] for one in asked)),
        "compared": 200,
        "wrong": wrong,
        "memory_mb": running.memory_mb(),
    }


def plain(top: TopItems, user: str) -> list[dict[str, Any]]:
    """The items of a user, as an answer holds them."""
    return [one._asdict() for one in top.recommend(user, 10)[user]]


def under_change(users: int, items: int, per_user: int, dim: int, changes: int, seed: int) -> dict[str, int]:
    """Change the run again and again while threads ask; every answer must be exactly that of one of both runs."""
    first, data = draw_tables(users, items, per_user, dim, seed)
    second = Embeddings(first.users.flip(0), first.items)
    known = [f"C-{number * 31 % users}" for number in range(100)]
    expected = [{user: plain(TopItems(tables, data), user) for user in known} for tables in (first, second)]
    with tempfile.TemporaryDirectory() as folder:
        return _changing(Path(folder), (first, second), data, known, expected, changes)


def _changing(
    folder: Path,
    tables: tuple[Embeddings, Embeddings],
    data: Dataset,
    known: list[str],
    expected: list[dict[str, Any]],
    changes: int,
) -> dict[str, int]:
    for number, one in enumerate(tables):
        save_embeddings(folder / f"run-{number}", one, data)
    current = folder / "current"
    current.symlink_to(folder / "run-0")
    counts = {"answers": 0, "first": 0, "second": 0, "wrong": 0, "failed": 0}
    done, lock = threading.Event(), threading.Lock()

    def ask(running: Running, start: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
        turn = start
        while not done.is_set():
            user, turn = known[turn % len(known)], turn + 1
            try:
                connection.request("GET", f"/v1/recommend?user={user}&k=10")
                answer = connection.getresponse()
                found = json.load(answer)
                ok = answer.status == 200
            except (OSError, http.client.HTTPException, ValueError):
                ok = False
            which = "failed"
            if ok:
                same = [found["items"] == each[user] for each in expected]
                which = "first" if same[0] else "second" if same[1] else "wrong"
            with lock:
                counts["answers"] += 1
                counts[which] += 1

    with service(current, "--allow-reload") as running:
        threads = [threading.Thread(target=ask, args=(running, 13 * number)) for number in range(4)]
        for thread in threads:
            thread.start()
        changed = 0
        for number in range(changes):
            time.sleep(0.2)
            (folder / "next").symlink_to(folder / f"run-{(number + 1) % 2}")
            os.replace(folder / "next", current)
            connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=120)
            connection.request("POST", "/admin/reload")
            changed += json.load(connection.getresponse()).get("reloaded", False)
        time.sleep(0.2)
        done.set()
        for thread in threads:
            thread.join()
    return {"changes": changed, **counts}


if __name__ == "__main__":
    run_program(main)
