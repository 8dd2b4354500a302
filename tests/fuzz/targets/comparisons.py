"""Comparison folders."""

import json
import sys
from pathlib import Path
from random import Random
from types import SimpleNamespace

from tests.fuzz.inputs import Input, read_input
from tests.fuzz.target import Target, each
from tests.fuzz.targets.folders import small_catalogue


def comparison_seeds(folder: Path) -> list[Input]:
    """A comparison of two models without trials, and what trials would have left; runs are fake."""
    from alignrec_geo.comparison import engine, process, schedule
    from tests.comparison.conftest import FAKE

    place = folder.parent / "alignrec-fuzz-catalogue"
    if not (place / "dataset.json").exists():
        small_catalogue().save(place, overwrite=True)
    kept = (process.COMMAND, schedule.POLL, sys.modules.get("alignrec_geo.reporting"))
    process.COMMAND, schedule.POLL = (sys.executable, str(FAKE)), 0.02
    sys.modules["alignrec_geo.reporting"] = SimpleNamespace(write_report=lambda *_: None)  # type: ignore[assignment]
    try:
        engine.compare(place, folder / "plain", ["bpr", "lightgcn"], seeds=2)
        engine.compare(place, folder / "tuned", ["bpr"], seeds=1, trials=2)
    finally:
        process.COMMAND, schedule.POLL = kept[0], kept[1]
        if kept[2] is None:
            del sys.modules["alignrec_geo.reporting"]
        else:
            sys.modules["alignrec_geo.reporting"] = kept[2]
    seeds = []
    for name in ("plain", "tuned"):
        files = read_input(folder / name)
        seeds.append(
            {
                name: content
                for name, content in files.items()
                if not name.startswith(("locks", "study")) and not name.endswith(".log")
            }
        )
    return seeds


def read_comparison(folder: Path, out: Path, rng: Random) -> None:
    """Go on with a comparison: its plan, how far it is, its results."""
    from alignrec_geo.comparison.layout import Layout
    from alignrec_geo.comparison.plan import Plan, continue_plan
    from alignrec_geo.comparison.results import collect, failures
    from alignrec_geo.comparison.status import StatusReader, seconds_left

    layout = Layout(folder)
    plan = Plan.load(layout.plan)

    def results() -> None:
        found, _ = collect(plan, layout)
        json.dumps(found, allow_nan=False)
        failures(found)

    each(lambda: continue_plan(plan, plan, folder), lambda: seconds_left(StatusReader(plan, layout).read(), 2), results)


TARGETS = (Target("comparison", 600, comparison_seeds, read_comparison, quick=False),)
