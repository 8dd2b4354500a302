"""Starts ranks as a launcher would, each running a file of this folder."""

import os
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def start(size: int, *command: object) -> list[subprocess.Popen[str]]:
    """Start ``python command`` as ``size`` ranks."""
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(size)}
    shared = {**os.environ, **address, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    return [
        subprocess.Popen(
            [sys.executable, *map(str, command)],
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(size)
    ]


def run(size: int, *command: object, timeout: float = 300) -> None:
    """Run ``python command`` as ``size`` ranks, all of which must end well."""
    started = start(size, *command)
    said = [process.communicate(timeout=timeout) for process in started]
    for process, (out, err) in zip(started, said, strict=True):
        assert process.returncode == 0, f"{out}\n{err}"
