"""One self-contained page of a comparison."""

from collections.abc import Mapping, Sequence
from typing import Any

from alignrec_geo.evaluation.metrics import SHOWN
from alignrec_geo.reporting import comparison_charts, search_charts
from alignrec_geo.reporting.charts import Chart
from alignrec_geo.reporting.pages import PROTOCOLS, made_on, render
from alignrec_geo.reporting.rows import Row, best_two, has_several_seeds, metric_columns
from alignrec_geo.reporting.verdict import caveats, story
from alignrec_geo.reporting.words import NONE, count, decimal, duration, metric_name, model_name, p_value, signed

ALWAYS = ("recall@20", "difference")
"""Columns that a phone shows at once; the others are folded away."""
Cell = tuple[str, str, str]
"""Text, what stands small behind it, and classes."""


def comparison_page(
    results: Mapping[str, Any], rows: Sequence[Row], quality: Sequence[Chart], cost: Chart | None
) -> str:
    """Return the page.

    Args:
        results: the content of ``results.json``.
        rows: the main table.
        quality: the charts of quality, which are written to files too.
        cost: the chart of quality against time.
    """
    ordered = sorted(rows, key=lambda row: row.non_learned)
    metrics = metric_columns(rows)
    several = has_several_seeds(results)
    tested = [test for test in results["significance"] if test["baseline"] in several]
    told, *rest = story(results, rows)
    return render(
        "comparison.html",
        results=results,
        title=_title(results),
        headline=told,
        story=rest,
        caveats=caveats(rows),
        reference=model_name(results["reference"]),
        protocol=PROTOCOLS[results["protocol"]],
        budget=_budget(results),
        head=[(name, "" if key in ALWAYS else "more") for key, name in _head(results, metrics)],
        rows=[_line(row, rows, results, metrics) for row in ordered],
        quality=quality,
        cost=cost,
        items=comparison_charts.groups(results, ordered, "items"),
        users=comparison_charts.groups(results, ordered, "users"),
        differences=comparison_charts.differences(results, ordered, tested),
        trials=search_charts.trials(results, ordered),
        curves=search_charts.curves(results, ordered),
        tests=[_test(test) for test in sorted(tested, key=lambda test: (test["metric"], _place(test, ordered)))],
        models=[_settings(model) for row in ordered for model in results["models"] if model["name"] == row.model],
        made=made_on(results.get("machine") or (results.get("machines") or [{}])[-1]),
    )


def _title(results: Mapping[str, Any]) -> str:
    models = len(results["models"])
    return f"{models} model{'' if models == 1 else 's'} on {results['dataset']['name']}"


def _budget(results: Mapping[str, Any]) -> str:
    trials = results["trials"]
    tuned = (
        f"{trials} {'trial' if trials == 1 else 'trials'} for each model, chosen on validation"
        if trials
        else "default settings, nothing tuned"
    )
    seeds = results["seeds"]
    return f"{tuned}; then {seeds} {'seed' if seeds == 1 else 'seeds'}"


def _head(results: Mapping[str, Any], metrics: Sequence[str]) -> list[tuple[str, str]]:
    difference = ("difference", f"{model_name(results['reference'])} − model")
    costs = (("epoch", "per epoch"), ("best", "to chosen epoch"), ("memory", "MB"), ("parameters", "parameters"))
    return [
        ("model", "model"),
        *((name, metric_name(name)) for name in metrics),
        difference,
        *costs,
        ("seeds", "seeds"),
    ]


def _line(row: Row, rows: Sequence[Row], results: Mapping[str, Any], metrics: Sequence[str]) -> dict[str, Any]:
    """A row of the main table."""
    cells: list[Cell] = [_metric(row, rows, name) for name in metrics]
    p = p_value(row.p) if row.tested else ""
    strong = "first" if row.significant else ""
    cells.append((signed(row.difference), p, strong))
    trained = not row.non_learned
    for name, words in (("seconds_per_epoch", duration), ("seconds_to_best", duration)):
        cells.append((words(row.costs.get(name)) if trained else NONE, "", "more"))
    cells.append((count(row.costs.get("peak_memory_mb")), "", "more"))
    cells.append((count(row.costs.get("parameters")) if trained else NONE, "", "more"))
    cells.append((row.seeds, "", "more"))
    kind = "reference" if row.model == results["reference"] else "floor" if row.non_learned else ""
    return {"name": model_name(row.model), "kind": kind, "cells": cells}


def _metric(row: Row, rows: Sequence[Row], name: str) -> Cell:
    folded = "" if name in ALWAYS else "more"
    if name not in row.means:
        return ("failed" if row.failed else NONE, "", folded)
    marks = zip(("first", "second"), best_two(rows, name), strict=True)
    mark = next((mark for mark, best in marks if row.model in best), "") if name in SHOWN else ""
    spread = f"± {row.spreads[name]:.4f}" if name in row.spreads else ""
    return (decimal(row.means[name]), spread, f"{mark} {folded}".strip())


def _place(test: Mapping[str, Any], ordered: Sequence[Row]) -> int:
    return next((place for place, row in enumerate(ordered) if row.model == test["baseline"]), len(ordered))


def _test(test: Mapping[str, Any]) -> list[str]:
    interval = f"{signed(test['low'])} … {signed(test['high'])}"
    chance = (p_value(test["p"]), p_value(test["p_holm"]))
    return [
        model_name(test["baseline"]), metric_name(test["metric"]), signed(test["difference"]), interval, *chance,
        count(test["users"]),
    ]  # fmt: skip


def _settings(model: Mapping[str, Any]) -> dict[str, Any]:
    trials = [
        (
            trial["number"],
            ", ".join(f"{name.removeprefix('training.')} {value}" for name, value in trial["settings"].items()),
            decimal(trial["validation"].get("recall@20")) if trial["validation"] else (trial["error"] or NONE),
            count(trial["epochs"]),
        )
        for trial in model["trials"]
    ]
    return {
        "name": model_name(model["name"]),
        "chosen": ", ".join(f"{name} = {value}" for name, value in model["chosen"].items()),
        "values": [
            (f"{section}.{name}", value)
            for section in ("parameters", "training")
            for name, value in model[section].items()
        ],
        "trials": trials,
        "failed": [(run["seed"], run["error"]) for run in model["runs"] if run["error"]],
    }
