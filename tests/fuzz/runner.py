"""Shares the executions among processes, watches them, and takes note of those that die or hang."""

import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz.inputs import write_input
from tests.fuzz.mutate import make_input
from tests.fuzz.target import Target
from tests.fuzz.worker import PROGRESS, load_seeds, random_of, store_seeds

ROOT = Path(__file__).resolve().parents[2]
BATCH = 250
SILENCE = 120
"""Seconds without an execution after which a process is killed."""
KEPT = 3
"""Inputs that are kept of one fault."""
HOPELESS = 40
"""Faults that cost seconds each after which a target is left."""


@dataclass
class Found:
    """What came of one target."""

    executions: int = 0
    normal: int = 0
    seconds: float = 0.0
    refused: Counter[str] = field(default_factory=Counter)
    faults: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    slow: int = 0

    def add_fault(self, fault: dict[str, Any]) -> None:
        """Take note of a fault, among those of the same kind and place."""
        self.faults.setdefault(kind_of(fault), []).append(fault)
        self.slow += fault["kind"] in ("hang", "silent", "killed")


def kind_of(fault: dict[str, Any]) -> str:
    """Equal for faults that are one: numbers, quoted parts and addresses do not tell them apart."""
    return (
        f"{fault['kind']}: "
        + re.sub(r"0x[0-9a-f]+|(?<![.\w:])\d+|'[^']*'|\"[^\"]*\"|/[\w./-]*box[^ ]*", "_", fault["what"])[:220]
    )


class _Process:
    """One worker and the batch it works on."""

    def __init__(self, folder: Path, number: int, seed: int) -> None:
        self._folder, self._name, self._seed = folder, f"worker-{number}", seed
        self.batch: tuple[str, int, int] | None = None
        self._start()

    def _start(self) -> None:
        (self._folder / f"{self._name}.progress").write_bytes(PROGRESS.pack(-1, time.time()))
        command = [sys.executable, "-m", "tests.fuzz.worker", str(self._folder), self._name, str(self._seed)]
        limits = {
            "OMP_NUM_THREADS": "1",
            "POLARS_MAX_THREADS": "1",
            "RAYON_NUM_THREADS": "1",
            "TOKENIZERS_PARALLELISM": "false",
        }
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, **limits, "PYTHONPATH": str(ROOT)},
        )
        self.started = time.time()

    def give(self, batch: tuple[str, int, int]) -> None:
        """Start a batch."""
        self.batch, self.started = batch, time.time()
        assert self._process.stdin is not None
        self._process.stdin.write("{} {} {}\n".format(*batch))
        self._process.stdin.flush()

    def answer(self, seconds: float) -> str | None:
        """The answer to the batch, ``None`` if there is none yet and an empty text if the process is dead."""
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], seconds)
        return self._process.stdout.readline() if ready else None

    def at(self) -> tuple[int, float]:
        """Number of the execution under way, and when it began."""
        number, began = PROGRESS.unpack((self._folder / f"{self._name}.progress").read_bytes())
        return number, max(began, self.started)

    def kill(self) -> None:
        """End the process."""
        self._process.send_signal(signal.SIGKILL)

    def again(self) -> tuple[int, str]:
        """Start another process in place of a dead one; how that one ended, and what it said last."""
        code = self._process.wait()
        errors = self._folder / f"{self._name}.stderr"
        said = errors.read_text(errors="replace")[-1500:] if errors.exists() else ""
        self._start()
        return code, said

    def close(self) -> None:
        """End the process in peace."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def run(
    targets: Iterable[Target], counts: dict[str, int], folder: Path, seed: int = 0, jobs: int = 2, told: bool = False
) -> dict[str, Found]:
    """Execute ``counts[name]`` inputs of every target.

    Args:
        targets: what is read.
        counts: executions by name.
        folder: gets seeds, and the inputs of faults; made anew.
        seed: of all inputs.
        jobs: processes.
        told: print every target when it is done.
    """
    known = {target.name: target for target in targets}
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "seeds").mkdir(parents=True)
    for target in known.values():
        store_seeds(target, folder / "seeds" / target.name)
    found = {name: Found() for name in known}
    # each process keeps to a target while it can: what it has imported is then what the target needs
    queues = [deque[tuple[str, int, int]]() for _ in range(jobs)]
    for name in known:
        for turn, start in enumerate(range(0, counts[name], BATCH)):
            queues[turn % jobs].append((name, start, min(start + BATCH, counts[name])))
    processes = [_Process(folder, number, seed) for number in range(jobs)]
    going = list(known)
    while going:
        for queue, process in zip(queues, processes, strict=True):
            if process.batch is None:
                while queue and found[queue[0][0]].slow >= HOPELESS:
                    queue.popleft()
                if queue:
                    process.give(queue.popleft())
            if process.batch is not None:
                _look(process, found[process.batch[0]], queue, 1.0 / jobs)
        waiting = {name for queue in queues for name, _, _ in queue} | {p.batch[0] for p in processes if p.batch}
        for name in [name for name in going if name not in waiting]:
            going.remove(name)
            for kind, faults in found[name].faults.items():
                keep(known[name], kind, faults[:KEPT], folder, seed)
            if told:
                print(line_of(name, found[name]), *found[name].faults, sep="\n  ", flush=True)
    for process in processes:
        process.close()
    return found


def _look(process: _Process, found: Found, queue: deque[tuple[str, int, int]], seconds: float) -> None:
    """Wait a little for the answer of a process; one that is dead or silent is replaced and goes on after its input."""
    assert process.batch is not None
    name, start, stop = process.batch
    text = process.answer(seconds)
    if text:
        answer = json.loads(text)
        found.executions += answer["done"]
        found.normal += answer["normal"]
        found.refused.update(answer["refused"])
        found.seconds += answer["seconds"]
        for fault in answer["faults"]:
            found.add_fault(fault)
        process.batch = None
        return
    number, began = process.at()
    silent = time.time() - began > SILENCE
    if text is None and not silent:
        return
    if silent:
        process.kill()
    code, said = process.again()
    if number < start:
        raise RuntimeError(f"the process ended before the first input of {name} (exit code {code}): {said}")
    what = f"nothing for {SILENCE} s" if silent else f"exit code {code}; {said.strip()[-300:]}"
    found.add_fault({"target": name, "number": number, "kind": "silent" if silent else "killed", "what": what})
    found.executions += 1
    if start < number:  # the tally of those before is lost with the process
        queue.appendleft((name, start, number))
    if number + 1 < stop:
        queue.appendleft((name, number + 1, stop))
    process.batch = None


def keep(target: Target, kind: str, faults: list[dict[str, Any]], folder: Path, seed: int) -> None:
    """Write the inputs of a fault, and what it was."""
    seeds = load_seeds(folder / "seeds" / target.name)
    for fault in faults:
        place = folder / "faults" / f"{target.name}-{fault['number']}"
        place.mkdir(parents=True)
        write_input(target.repair(make_input(seeds, random_of(seed, target.name, fault["number"]))), place / "input")
        (place / "fault.json").write_text(json.dumps({**fault, "seed": seed, "as": kind}, indent=2))


def line_of(name: str, found: Found) -> str:
    """One line of the report."""
    rate, faults = found.executions / max(found.seconds, 1e-9), sum(map(len, found.faults.values()))
    return (
        f"{name:<20}{found.executions:>8,} executions {rate:>6,.0f}/s {found.normal:>8,} read "
        f"{sum(found.refused.values()):>8,} refused ({len(found.refused):,} messages) "
        f"{faults:>6,} faults of {len(found.faults)} kinds"
    )
