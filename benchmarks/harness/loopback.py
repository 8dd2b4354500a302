"""Services on this machine's own address, and what ``wrk`` measures of them; no other address is ever asked."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATIENCE = 600.0
"""Seconds that a service may take to open a run on a busy machine."""
LUA = """
math.randomseed({seed})
local paths = {{ {paths} }}
request = function()
  local path = paths[math.random(#paths)]
  return wrk.format("GET", (path:gsub("USER", math.random(0, {users} - 1)):gsub("ITEM", math.random(0, {items} - 1))))
end
done = function(summary, latency, requests)
  local failed = summary.errors
  io.write(string.format('RESULT {{"requests": %d, "seconds": %f, "failed": %d, "p50": %f, "p99": %f}}\\n',
    summary.requests, summary.duration / 1e6,
    failed.status + failed.connect + failed.read + failed.write + failed.timeout,
    latency:percentile(50) / 1e6, latency:percentile(99) / 1e6))
end
"""
EMPTY = """
import sys, uvicorn
from fastapi import FastAPI
app = FastAPI()
@app.get("/")
async def empty(): return {}
uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", access_log=False, proxy_headers=False, server_header=False)
"""


@dataclass
class Running:
    """A service of this program."""

    process: "subprocess.Popen[str]"
    port: int

    def url(self, path: str = "/") -> str:
        """An address of it."""
        return f"http://127.0.0.1:{self.port}{path}"

    def get(self, path: str) -> Any:
        """An answer, as JSON."""
        with urllib.request.urlopen(self.url(path), timeout=60) as answer:
            return json.load(answer)

    def cpu_seconds(self) -> float:
        """Processor time so far, without that of other processes on this machine."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        """Resident memory."""
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text())
        assert found is not None
        return int(found[1]) / 1024


@contextmanager
def service(*options: object) -> Iterator[Running]:
    """``alignrec-geo serve`` with these options, on a free port, until the block ends."""
    port = _free_port()
    command = [sys.executable, "-m", "alignrec_geo.cli.app", "serve", *map(str, options), "--port", str(port)]
    with _started(command, port, "/health") as running:
        yield running


@contextmanager
def empty_service() -> Iterator[Running]:
    """A FastAPI application whose only answer is ``{}``, under the same server."""
    port = _free_port()
    with _started([sys.executable, "-c", EMPTY, str(port)], port, "/") as running:
        yield running


def load(
    running: Running, paths: list[str], users: int, items: int, seconds: float, connections: int, seed: int = 0
) -> dict[str, float]:
    """Ask as fast as answers come, and return requests, failures, times and processor time per request.

    Args:
        running: whom.
        paths: addresses that are drawn from, with USER and ITEM for a number below ``users`` and ``items``.
        users: how many there are.
        items: how many there are.
        seconds: how long.
        connections: requests at a time.
        seed: of what is drawn.
    """
    if shutil.which("wrk") is None:
        sys.exit("this needs wrk: apt-get install wrk")
    quoted = ", ".join(json.dumps(path) for path in paths)
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "ask.lua"
        script.write_text(LUA.format(seed=seed, paths=quoted, users=users, items=items))
        before = running.cpu_seconds()
        told = [
            "--timeout",
            "30s",
            "-t",
            "1",
            "-c",
            str(connections),
            "-d",
            f"{max(1, round(seconds))}s",
            "-s",
            str(script),
        ]
        done = subprocess.run(["wrk", *told, running.url()], capture_output=True, text=True, check=True)
        spent = running.cpu_seconds() - before
    found = re.search(r"^RESULT (.+)$", done.stdout, flags=re.MULTILINE)
    assert found is not None, done.stdout
    told = json.loads(found[1])
    return {**told, "per_second": told["requests"] / told["seconds"], "cpu_ms": 1e3 * spent / max(told["requests"], 1)}


def by_status(running: Running) -> dict[str, int]:
    """How many requests ended with which status, as the service's metrics say."""
    with urllib.request.urlopen(running.url("/metrics")) as answer:
        text = answer.read().decode()
    counts: Counter[str] = Counter()
    for status, number in re.findall(r'^alignrec_requests_total\{.*status="(\d+)"\} (\S+)$', text, flags=re.MULTILINE):
        counts[status] += int(float(number))
    return dict(sorted(counts.items()))


@contextmanager
def _started(command: list[str], port: int, path: str) -> Iterator[Running]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            running = Running(process, port)
            _wait(running, path)
            yield running
        finally:
            process.terminate()
            process.wait(60)


def _wait(running: Running, path: str) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        if running.process.poll() is not None:
            assert running.process.stderr is not None
            sys.exit(running.process.stderr.read())
        try:
            running.get(path)
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            if time.monotonic() > end:
                sys.exit("the service did not answer")
            time.sleep(0.1)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as made:
        return int(made.getsockname()[1])
