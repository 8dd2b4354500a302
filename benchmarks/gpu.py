"""Check and measure the package on a GPU, in one command of under four minutes.

    python benchmarks/gpu.py

Checks first: the tests of the Triton kernels, first-step losses and gradients of every model against the CPU, and two
runs of one seed. Then it measures, in order of importance, until the budget is used up: AlignRec's step and epoch
against the naive model (``naive.py``) and the GPU's own limit, every model's step eager and captured (and, with
``--before``, that of an older version), each operation with every backend, how much of a step the GPU works, graphs of
10 and 100 million edges, and with ``--data`` an imported data set. Every section is a process of its own; what is
measured is stored after every row.
"""

import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from gpu_sections.before import before
from gpu_sections.busy import busy_share
from gpu_sections.checks import kernel_tests, parity, repeats
from gpu_sections.epochs import epochs_against_naive, real_data
from gpu_sections.growth import hundred_million, ten_million
from gpu_sections.isolate import Isolated, run_together
from gpu_sections.machine_facts import machine_facts
from gpu_sections.operations import operations
from gpu_sections.setting import Section, Setting
from gpu_sections.steps import alignrec_steps, model_steps
from gpu_sections.table import render
from harness.machine import RESULTS, machine
from harness.measure import command, rounded, say
from harness.program import run_program

from alignrec_geo.files import write_json
from alignrec_geo.models import MODELS


class Part(NamedTuple):
    """One section in the order of importance.

    Args:
        section: what runs.
        least: seconds that must be left of the budget for it to start.
        most: seconds after which it is cut off.
        prepares: when its process starts to prepare on the CPU: ``first``, or ``last``, after the steps and epochs
            that the CPU limits.
    """

    section: Section
    least: float
    most: float
    prepares: str = "first"


CHECKS = {"tests": Part(kernel_tests, 30, 80), "parity": Part(parity, 15, 80), "repeats": Part(repeats, 15, 80)}
"""These have the GPU together: nothing is timed meanwhile."""
MEASURED = {
    "device": Part(machine_facts, 5, 60),
    "steps": Part(alignrec_steps, 8, 60),
    "epochs": Part(epochs_against_naive, 15, 60),
    "models": Part(model_steps, 15, 60),
    "before": Part(before, 25, 60),
    "operations": Part(operations, 15, 60),
    "busy": Part(busy_share, 8, 60),
    "10m": Part(ten_million, 8, 60, "last"),
    "data": Part(real_data, 15, 90, "last"),
    "100m": Part(hundred_million, 15, 120, "last"),
}
LAST_BOUND_BY_THE_CPU = "before"
PARTS = {**CHECKS, **MEASURED}


def main(
    sections: Annotated[str, typer.Option(help=f"Any of {', '.join(PARTS)}.")] = ",".join(PARTS),
    device: Annotated[str, typer.Option(help="cuda, cuda:1, or cpu to see that everything runs.")] = "cuda",
    budget: Annotated[float, typer.Option(help="Seconds; sections that no longer fit are left out.")] = 220.0,
    data: Annotated[Path | None, typer.Option(help="Folder of an imported data set to train every model on.")] = None,
    epochs: Annotated[int, typer.Option(help="Epochs on that data set.")] = 10,
    before: Annotated[Path | None, typer.Option(help="Folder with an older version of the package.")] = None,
    models: Annotated[str, typer.Option(help="Models of the sections about every model.")] = ",".join(MODELS),
    seed: Annotated[int, typer.Option(help="Seed of data, parameters and batches.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="Tiny shapes, two rounds.")] = False,
    out: Annotated[Path, typer.Option(help="File or folder for the result.")] = RESULTS / "gpu.json",
) -> None:
    """Print one table, and store everything as gpu.json."""
    started = time.perf_counter()
    chosen = _known(sections, PARTS, "section")
    file = out if out.suffix == ".json" else out / "gpu.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    setting = Setting(device, quick, seed, data, epochs, before, tuple(_known(models, MODELS, "model")))
    content: dict[str, Any] = {
        "name": "gpu",
        "command": command(),
        "device": device,
        "seed": seed,
        "budget": budget,
        "shape": {"name": setting.shape.name, "batch": setting.batch, "width": setting.shape.width, "dim": 64},
        "sections": {},
        "machine": machine(),
    }
    with tempfile.TemporaryDirectory() as cache:
        os.environ["ALIGNREC_CACHE"] = cache  # item graphs are computed once for all sections
        Run(setting, content, file, started + budget).all(chosen)
    facts = content["sections"].get("device", {}).get("rows", [])
    content["device"] = facts[0]["name"] if facts else device
    content["seconds"] = time.perf_counter() - started
    write_json(file, rounded(content))
    print(render(rounded(content)))
    print(file)
    if any(row.get("ok") is False for section in content["sections"].values() for row in section["rows"]):
        raise typer.Exit(1)


def _known(text: str, allowed: Mapping[str, object], what: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in allowed]:
        raise typer.BadParameter(f"unknown {what} (got '{', '.join(unknown)}'); allowed: {', '.join(allowed)}")
    return names


class Run:
    """The sections of one run.

    Args:
        setting: what every section is told.
        content: the result, which is filled.
        file: where it is stored after every row.
        end: when the budget is used up, on the performance counter.
    """

    def __init__(self, setting: Setting, content: dict[str, Any], file: Path, end: float) -> None:
        self.setting, self.content, self.file, self.end = setting, content, file, end
        self.started: dict[str, Isolated] = {}

    def all(self, chosen: list[str]) -> None:
        """Run the sections; every process has ended afterwards."""
        try:
            self._prepare(chosen, "first")
            checks = [name for name in chosen if name in CHECKS]
            if checks:
                self._run(checks)
            for name in (name for name in MEASURED if name in chosen):
                if list(MEASURED).index(name) > list(MEASURED).index(LAST_BOUND_BY_THE_CPU):
                    self._prepare(chosen, "last")
                self._run([name])
        finally:
            for section in self.started.values():
                section.end("not started")

    def _prepare(self, chosen: list[str], when: str) -> None:
        for name in chosen:
            if PARTS[name].prepares == when and name not in self.started and name not in self.content["sections"]:
                self.started[name] = Isolated(name, PARTS[name].section, self.setting)

    def _run(self, names: list[str]) -> None:
        left = self.end - time.perf_counter()
        turn = [self.started.pop(name) for name in names]
        if left < max(PARTS[name].least for name in names) and not self.setting.quick:
            for section in turn:
                section.end(f"left out: {left:.0f} s of the budget were left")
                self.content["sections"][section.name] = section.outcome.as_json()
            return
        say(f"{', '.join(names)} ({left:.0f} s left)")
        limit = max(PARTS[name].most for name in names)
        run_together(turn, limit if self.setting.quick else min(left, limit), lambda: self._store(turn))

    def _store(self, sections: list[Isolated]) -> None:
        for section in sections:
            self.content["sections"][section.name] = section.outcome.as_json()
        write_json(self.file, rounded(self.content))


if __name__ == "__main__":
    run_program(main)
