"""Runs a function as several ranks, each a process of its own."""

import json
import multiprocessing
import os
import socket
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

LONGEST = 1800
"""Seconds that ranks have."""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def run_ranks(size: int, work: Callable[..., Any], folder: Path, *arguments: Any) -> list[Any]:
    """Call ``work(*arguments)`` on every rank, in its group; returns what each returned, as JSON holds it.

    A process of the context ``forkserver`` starts with everything imported that ``train_models`` imports.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.distributed.train_models"])
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(size)}
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"rank-{rank}.json" for rank in range(size)]
    started = [
        context.Process(target=_rank, args=({**place, "RANK": str(rank)}, file, work, arguments))
        for rank, file in enumerate(files)
    ]
    for process in started:
        process.start()
    for process in started:
        process.join(LONGEST)
        if process.is_alive():
            process.kill()
    results = [json.loads(file.read_text()) if file.exists() else {"error": "no result"} for file in files]
    for result in results:
        assert "error" not in result, result["error"]
    return [result["result"] for result in results]


def _rank(place: dict[str, str], file: Path, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    from alignrec_geo.distributed.join import joined

    os.environ |= place
    try:
        with joined():
            result = {"result": work(*arguments)}
    except BaseException:
        result = {"error": traceback.format_exc()}
    file.write_text(json.dumps(result))
