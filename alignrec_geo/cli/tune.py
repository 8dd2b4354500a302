"""``alignrec-geo tune``: the settings of one model, searched on validation."""

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from alignrec_geo.cli.comparing import chosen_features, continued_by_the_same_command
from alignrec_geo.cli.data_set_line import say_data_set
from alignrec_geo.cli.device import TrainingDeviceOption, device_setting
from alignrec_geo.cli.flags import in_options
from alignrec_geo.cli.ids_alone import note_ids_alone
from alignrec_geo.cli.output import JsonFlag, print_json, print_table, stderr
from alignrec_geo.errors import InputError

UNITS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
SHOWN = 10


def tune(
    dataset: Annotated[Path, typer.Argument(help="Data set folder (made by 'data import').")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the search; the same command continues it.")],
    model: Annotated[str, typer.Option(help="Model: alignrec, lightgcn, …")] = "alignrec",
    trials: Annotated[int, typer.Option(help="How many settings to try; the first trial are the defaults.")] = 20,
    timeout: Annotated[
        str | None, typer.Option(metavar="TIME", help="Stop after 90s, 30m or 2h; the same command goes on.")
    ] = None,
    space: Annotated[
        Path | None,
        typer.Option(help="YAML file of values to try, setting: [a, b] or {low: a, high: b, steps: n, log: true}."),
    ] = None,
    features: Annotated[
        str | None, typer.Option(help="Feature matrices, comma-separated; default all; 'none' for IDs only.")
    ] = None,
    protocol: Annotated[str, typer.Option(help="Ranking protocol: clean or mmrec.")] = "clean",
    jobs: Annotated[int, typer.Option(help="Trials at a time, each in a process of its own.")] = 1,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Repeatable; what is set is not searched.")
    ] = None,
    device: TrainingDeviceOption = None,
    no_prune: Annotated[bool, typer.Option("--no-prune", help="Let trials end that are behind.")] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Train failed trials again.")] = False,
    trust: Annotated[bool, typer.Option("--trust", help="Run code (class paths) that only --space names.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Search the settings of one model on validation, and write the best as a file for 'train --config'.

    Example: alignrec-geo tune data/tiktok --model freedom --trials 30 --jobs 2 --out runs/tiktok-tuned

    Trials that are behind are stopped early. The test split is never looked at. A search that was killed, or stopped
    with Ctrl-C, goes on with the same command; more --trials only add to it.
    """
    say_data_set(dataset)
    from alignrec_geo.cli.compare_progress import LiveTable
    from alignrec_geo.comparison import tune as run_search
    from alignrec_geo.dataset.store import Dataset
    from alignrec_geo.device import choose_device

    seconds = None if timeout is None else parse_duration(timeout)
    if device is not None:
        choose_device(device)
    if features is None:
        note_ids_alone(Dataset.open(dataset), [model])
    with continued_by_the_same_command(out):
        found = run_search(
            dataset,
            out,
            model,
            trials=trials,
            timeout=seconds,
            space=space,
            features=chosen_features(features),
            protocol=protocol,
            jobs=jobs,
            settings=[*(settings or []), *device_setting(device)],
            prune=not no_prune,
            retry_failed=retry_failed,
            trust=trust,
            observer=LiveTable(stderr),
        )
    if as_json:
        print_json({**found, "out": str(out)})
    else:
        _print(found)
    _say(found, out)
    if found["best"] is None:
        raise typer.Exit(1)


def parse_duration(text: str) -> float:
    """Seconds of ``90``, ``90s``, ``30m``, ``1.5h`` or ``1d``.

    Raises:
        InputError: something else, or nothing of it.

    Example:
        >>> parse_duration("1.5h"), parse_duration("90")
        (5400.0, 90.0)
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
    if found is None or found[2] not in UNITS or float(found[1]) == 0.0:
        raise InputError(f"timeout= takes a time such as 90s, 30m or 2h (got '{text:.80}')")
    return float(found[1]) * UNITS[found[2]]


def _print(found: dict[str, Any]) -> None:
    valued = [trial for trial in found["trials"] if trial["value"] is not None]
    valued.sort(key=lambda trial: (trial["state"] != "finished", -trial["value"]))
    rows = [
        [
            str(trial["trial"]),
            f"{trial['value']:.4f}",
            trial["state"],
            str(trial["epochs"]),
            *(str(trial["settings"][name]) for name in found["space"]),
        ]
        for trial in valued[:SHOWN]
    ]
    title = (
        f"{found['model']} on {found['dataset']['name']}, validation, the best {len(rows)} of {len(found['trials'])}"
    )
    if not rows:
        return
    print_table(title, ["trial", found["metric"], "state", "epochs", *found["space"]], rows)


def _say(found: dict[str, Any], out: Path) -> None:
    from alignrec_geo.reporting.tuning_report import verdict

    stderr.print(verdict(found), soft_wrap=True)
    failed = [trial for trial in found["trials"] if trial["state"] == "failed"]
    for trial in failed:
        stderr.print(f"failed: trial {trial['trial']}: {in_options(trial['error'])}", soft_wrap=True)
    if failed:
        stderr.print("to train failed trials again, repeat the command with --retry-failed")
    if any(trial["state"] == "unfinished" for trial in found["trials"]):
        stderr.print("the time was over before all trials were; the same command goes on", soft_wrap=True)
    best = "" if found["best"] is None else "best.yaml (for train --config), "
    stderr.print(f"{best}trials.csv and report.html are in {out}", soft_wrap=True)
