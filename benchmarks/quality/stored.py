"""Keep a comparison in ``benchmarks/results``, finished or not, and lay it out again where it is to go on.

    python benchmarks stored keep tiktok-table runs/tiktok-table
    python benchmarks stored lay-out tiktok-table runs/tiktok-table
    python benchmarks stored render tiktok-table

``keep`` writes ``NAME.json`` (settings, trials, runs, times), and in a folder ``NAME`` the plan, every user's metrics
and the report. From these ``lay-out`` makes a folder that the command in ``NAME.json`` goes on with, on any machine:
what is there is not trained again. Weights and curves are not kept, so ``recommend`` does not work on runs that were
laid out. ``render`` makes the kept report anew, as the program draws it today.
"""

import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer
from harness.machine import RESULTS
from harness.program import run_program

from alignrec_geo.comparison.layout import PLAN, Layout
from alignrec_geo.comparison.plan import Plan
from alignrec_geo.comparison.run import COST, GROUPS, Run, seed_run, trial_run
from alignrec_geo.comparison.search import Tried
from alignrec_geo.comparison.study import TrialLog
from alignrec_geo.errors import InputError
from alignrec_geo.files import atomic_path, read_json, write_json
from alignrec_geo.reporting import write_report
from alignrec_geo.staging import staged_folder
from alignrec_geo.training.run_files import PER_USER, RESULT

REPORT = "report.html"
KEPT = (PLAN, PER_USER, REPORT)
COSTS = ("peak_memory_mb", "seconds", "seconds_per_epoch", "seconds_to_best", "parameters")
app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.command()
def keep(
    name: Annotated[str, typer.Argument(help="Name of the result: benchmarks/results/NAME.json.")],
    folder: Annotated[Path, typer.Argument(help="Folder of the comparison.")],
    note: Annotated[str | None, typer.Option(help="What a reader has to know.")] = None,
) -> None:
    """Store what a comparison has so far."""
    store(folder, RESULTS, name, note)


@app.command()
def lay_out(
    name: Annotated[str, typer.Argument(help="Name of the result: benchmarks/results/NAME.json.")],
    folder: Annotated[Path, typer.Argument(help="Folder to make.")],
) -> None:
    """Make the folder of a stored comparison again."""
    found = restore(RESULTS, name, folder)
    typer.echo(f"{found} runs. Go on with: {read_json(RESULTS / f'{name}.json')['command']}")


@app.command()
def render(names: Annotated[list[str], typer.Argument(help="Names of results that have a folder.")]) -> None:
    """Make the reports of stored comparisons anew."""
    for name in names:
        typer.echo(redraw(RESULTS, name))


def redraw(results: Path, name: str) -> Path:
    """Write ``NAME/report.html`` from ``NAME.json``, and return its path.

    Raises:
        InputError: no comparison of that name is stored.
    """
    target = results / name / REPORT
    if not target.parent.is_dir():
        raise InputError(f"{target.parent}: no stored comparison of that name")
    found = read_json(results / f"{name}.json")
    with tempfile.TemporaryDirectory() as made:
        write_report(found, Path(made))
        with atomic_path(target) as staging:
            shutil.copyfile(Path(made) / REPORT, staging)
    return target


def store(folder: Path, results: Path, name: str, note: str | None = None) -> None:
    """Write ``NAME.json`` and ``NAME/``; machines that an earlier state of the comparison named stay named."""
    target = results / f"{name}.json"
    found = read_json(folder / "results.json")
    before = read_json(target) if target.exists() else {}
    machines = [*before.get("machines", []), found.pop("machine")]
    distinct = [machine for n, machine in enumerate(machines) if machine not in machines[:n]]
    note = before.get("note") if note is None else note
    write_json(target, {**({} if note is None else {"note": note}), **found, "machines": distinct})
    for file in KEPT:
        with atomic_path(results / name / file) as staging:
            shutil.copyfile(folder / file, staging)


def restore(results: Path, name: str, folder: Path) -> int:
    """Make the folder of a stored comparison; returns how many runs it has.

    Raises:
        InputError: the folder exists.
    """
    if folder.exists():
        raise InputError(f"{folder} exists already; name a new folder")
    stored = read_json(results / f"{name}.json")
    users = pl.read_parquet(results / name / PER_USER)
    plan = Plan.load(results / name / PLAN)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with staged_folder(folder) as staging:
        layout = Layout(staging)
        plan.save(layout.plan)
        runs = sum(_model(plan, layout, model, users) for model in stored["models"])
        staging.rename(folder)
    return runs


def _model(plan: Plan, layout: Layout, model: dict[str, Any], users: pl.DataFrame) -> int:
    """Lay out the runs of a model; how many there are."""
    _trials(plan, layout, model)
    trial = next((t["number"] for t in model["trials"] if t["settings"] == model["chosen"]), 0)
    finished = [run for run in model["runs"] if run["error"] is None]
    for run in finished:
        made = seed_run(plan, layout, model["name"], run["seed"], trial, model["chosen"])
        own = users.filter((pl.col("model") == model["name"]) & (pl.col("seed") == run["seed"]))
        _finish(made, run)
        own.drop("model", "seed").write_parquet(made.folder / PER_USER)
    return len(model["trials"]) + len(finished)


def _trials(plan: Plan, layout: Layout, model: dict[str, Any]) -> None:
    if not model["trials"]:
        return
    name = model["name"]
    log = TrialLog(layout, name, plan.models[name].search_space)
    for trial in model["trials"]:
        log.begin(trial["settings"])
        made = trial_run(plan, layout, name, trial["number"], trial["settings"])
        made.prepare()
        value = None
        if trial["error"] is None:
            value = float(trial["validation"][made.config.training.metric])
            _finish(made, trial)
        else:
            made.fail(trial["error"])
        log.end(trial["number"], Tried(trial["settings"], value))
    log.close()


def _finish(run: Run, found: dict[str, Any]) -> None:
    run.prepare()
    result = {
        "metrics": found.get("metrics", {}),
        "protocol": run.config.protocol.value,
        "split": "test",
        **{key: found[key] for key in ("validation", "best_epoch", "epochs", "seconds")},
        **({"machine": {"gpu": found["gpu"]}} if found.get("gpu") else {}),
    }
    write_json(run.folder / RESULT, result)
    if run.test:
        write_json(run.folder / GROUPS, found["groups"])
    write_json(run.folder / COST, {key: found.get(key) for key in COSTS})


if __name__ == "__main__":
    run_program(app)
