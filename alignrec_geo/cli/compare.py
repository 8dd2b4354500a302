"""``alignrec-geo compare``: many models, equal budgets, one table."""

from pathlib import Path
from statistics import mean, median, stdev
from typing import Annotated, Any

import typer

from alignrec_geo.cli.comparing import chosen_features, continued_by_the_same_command, split_names
from alignrec_geo.cli.data_set_line import say_data_set
from alignrec_geo.cli.device import TrainingDeviceOption, device_setting
from alignrec_geo.cli.flags import in_options
from alignrec_geo.cli.ids_alone import note_ids_alone
from alignrec_geo.cli.output import JsonFlag, print_json, print_table, stderr

COSTS = {"s/epoch": ("seconds_per_epoch", ".2f"), "MB": ("peak_memory_mb", ",.0f"), "weights": ("parameters", ",.0f")}
"""What a layer costs, and how it is written: medians over the seeds."""


def compare(
    dataset: Annotated[Path, typer.Argument(help="Data set folder (made by 'data import').")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the comparison; the same command continues it.")],
    models: Annotated[str, typer.Option(help="Models, comma-separated, or 'all'.")] = "all",
    features: Annotated[
        str | None, typer.Option(help="Feature matrices, comma-separated; default all; 'none' for IDs only.")
    ] = None,
    protocol: Annotated[str, typer.Option(help="Ranking protocol: clean or mmrec.")] = "clean",
    seeds: Annotated[int, typer.Option(help="Final runs per model.")] = 5,
    trials: Annotated[int, typer.Option(help="Trials per model over its search space; 0 takes the defaults.")] = 0,
    jobs: Annotated[int, typer.Option(help="Runs at a time, each in a process of its own.")] = 1,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="MODEL.key=value, or key=value for every model that has it; repeatable."),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(help="What tests measure beside Recall, NDCG, Precision and MAP: coverage,novelty,…"),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(help="The model the others are compared with (default alignrec, or the first that is trained)."),
    ] = None,
    device: TrainingDeviceOption = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Train failed runs again.")] = False,
    user_item_conv: Annotated[
        str | None,
        typer.Option(help="User-item layers, comma-separated names or class paths; every model is trained with each."),
    ] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(help="key=value,…: another row for every model that has these settings; repeatable."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Train models on equal terms, test them, and write tables, figures, significance and a report.

    Example: alignrec-geo compare data/tiktok --models alignrec,bpr --trials 8 --jobs 2 --out runs/tiktok-table

    With --trials every model gets the same number of trials, judged on validation; the best settings are then trained
    once per seed. A comparison that was killed or stopped with Ctrl-C continues with the same command; more --trials,
    --seeds or --models only add runs.

    With --user-item-conv light,sage,mypkg.MyConv the rows are layers: alignrec+light, alignrec+sage, …

    With --vary layers=1 --vary layers=3 every model that has this setting gets a row for each value, which makes an
    ablation table: alignrec, alignrec[layers=1], alignrec[layers=3].
    """
    say_data_set(dataset)
    from alignrec_geo.cli.compare_progress import LiveTable
    from alignrec_geo.comparison import compare as run_comparison
    from alignrec_geo.comparison.request import with_layers
    from alignrec_geo.comparison.results import failures
    from alignrec_geo.comparison.row_name import parse_row, split_rows, with_variants
    from alignrec_geo.dataset.store import Dataset
    from alignrec_geo.device import choose_device
    from alignrec_geo.models.registry import MODELS

    if device is not None:
        choose_device(device)
    names = split_rows(models)
    if user_item_conv is not None:
        names = with_layers(names, split_names(user_item_conv))
    if vary:
        names = with_variants(names, vary)
    if features is None:
        plain = MODELS if names == ["all"] else [parse_row(name).model for name in names]
        note_ids_alone(Dataset.open(dataset), dict.fromkeys(plain))
    with continued_by_the_same_command(out):
        results = run_comparison(
            dataset,
            out,
            names,
            features=chosen_features(features),
            protocol=protocol,
            seeds=seeds,
            trials=trials,
            jobs=jobs,
            settings=[*(settings or []), *device_setting(device)],
            metrics=split_names(metrics or ""),
            reference=reference,
            retry_failed=retry_failed,
            observer=LiveTable(stderr),
        )
    if as_json:
        print_json({**results, "out": str(out)})
    else:
        _print_results(results, costs=user_item_conv is not None)
        stderr.print(f"tables, figures and report.html are in {out}", soft_wrap=True)
    failed = failures(results)
    for line in failed:
        stderr.print(f"failed: {in_options(line)}", soft_wrap=True)
    if failed:
        stderr.print("to train failed runs again, repeat the command with --retry-failed")
        raise typer.Exit(1)


def _print_results(results: dict[str, Any], costs: bool) -> None:
    from alignrec_geo.evaluation.metrics import TESTED
    from alignrec_geo.reporting.rows import further_metrics, summarise
    from alignrec_geo.reporting.verdict import verdict

    rows, shown = [], [*TESTED, *further_metrics(results)]
    for model in results["models"]:
        tested = [run["metrics"] for run in model["runs"] if run["error"] is None]
        cells = [_mean_and_deviation([metrics[name] for metrics in tested]) for name in shown]
        if costs:
            runs = [run for run in model["runs"] if run["error"] is None]
            cells += [f"{median(run[name] for run in runs):{form}}" if runs else "" for name, form in COSTS.values()]
        order = -mean(metrics[TESTED[0]] for metrics in tested) if tested else 1.0  # what failed stands last
        rows.append((order, [model["name"], *cells, f"{len(tested)} of {results['seeds']}"]))
    rows.sort(key=lambda row: row[0])
    title = f"{results['dataset']['name']}, test, protocol {results['protocol']}"
    print_table(title, ["model", *shown, *(COSTS if costs else ()), "seeds"], [row for _, row in rows])
    stderr.print(verdict(results, summarise(results)), soft_wrap=True)


def _mean_and_deviation(values: list[float]) -> str:
    if not values:
        return "failed"
    spread = f" ± {stdev(values):.4f}" if len(values) > 1 else ""
    return f"{mean(values):.4f}{spread}"
