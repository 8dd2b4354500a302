"""Thousands of drawn requests, most of them malformed, against the HTTP service: none may end in a fault.

    python -m venv /tmp/fuzz && /tmp/fuzz/bin/pip install schemathesis
    python benchmarks serve_malformed --schemathesis /tmp/fuzz/bin/schemathesis

Schemathesis draws requests from ``openapi.json``: valid ones, and ones that break the schema in every place. The
service counts what it answered; a status from 500 on is a fault, and so is an answer that is not as it is described.
"""

import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from harness.loopback import by_status, service
from harness.measure import report, results_folder, say
from harness.program import run_program

from alignrec_geo import AlignRec, make_catalogue
from alignrec_geo.training import fit

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def main(
    schemathesis: Annotated[Path, typer.Option(help="The program, in a virtual environment of its own.")],
    requests: Annotated[int, typer.Option(help="How many requests at least.")] = 10_000,
    examples: Annotated[int, typer.Option(help="Examples of each address in a turn.")] = 250,
    seed: Annotated[int, typer.Option(help="Seed of the first turn.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="A few requests; nothing is stored.")] = False,
    results: Annotated[Path | None, typer.Option(help="Folder for the result.")] = None,
) -> None:
    """Print one JSON object and store it as serve-malformed.json."""
    if quick:
        requests, examples = 100, 5
    version = subprocess.run([schemathesis, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    with tempfile.TemporaryDirectory() as folder:
        data = make_catalogue(n_users=60, n_items=40, image_size=16).save(Path(folder) / "data")
        run = Path(folder) / "run"
        fit(AlignRec.from_dataset(data, config={"dim": 16}), out=run, config={"epochs": 2})
        with service(run, "--allow-reload", "--max-body", 1 << 20) as running:
            started, turns, failed = time.monotonic(), 0, []
            while sum(by_status(running).values()) < requests:
                command: list[str | Path] = [
                    *(schemathesis, "run", running.url("/openapi.json"), "--checks", CHECKS, "--mode", "all"),
                    *("--max-examples", str(examples), "--phases", "examples,coverage,fuzzing", "--workers", "2"),
                    *(
                        "--continue-on-failure",
                        "--no-color",
                        "--seed",
                        str(seed + turns),
                        "--generation-database",
                        "none",
                    ),
                ]
                done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
                turns += 1
                if done.returncode:
                    failed.append(done.stdout[-4000:])
                    say(done.stdout[-8000:])
                    break
                say(f"{turns} turns, {by_status(running)}")
            statuses, seconds = by_status(running), time.monotonic() - started
            alive = running.get("/health")["status"] == "ok"
            os.kill(running.process.pid, signal.SIGTERM)
            code = running.process.wait(60)
    content = {
        "requests": sum(statuses.values()),
        "statuses": statuses,
        "faults": sum(count for status, count in statuses.items() if status >= "500"),
        "alive_at_the_end": alive,
        "exit_code": code,
        "failed_checks": failed,
        "turns": turns,
        "seconds": seconds,
        "schemathesis": version,
        "checks": CHECKS,
        "seed": seed,
    }
    report("serve-malformed", content, results_folder(quick, results))


if __name__ == "__main__":
    run_program(main)
