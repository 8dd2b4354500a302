"""Which model is best for items that nobody has interacted with? The models of a stored comparison, one by one.

    alignrec-geo data split data/tiktok --rule cold-items --out data/tiktok-cold
    python benchmarks cold_models data/tiktok-cold --like tiktok-table --name cold-tiktok

Every model is trained without the held-out items, with the settings that the comparison chose for it, and for as many
epochs as its runs there took on the mean to their best: no cold item chooses anything. Its own tables are measured, and
its tables with cold items placed by the content rule (docs/cold-items.md); runs that are there already are used.
"""

import json
from pathlib import Path
from statistics import fmean, stdev
from typing import Annotated, Any

import typer
from harness.machine import RESULTS, machine
from harness.measure import command
from quality.cold_items import ColdRanking, assignments, by_content, popularity, trained

from alignrec_geo.comparison.row_name import parse_row
from alignrec_geo.dataset import Dataset
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.files import read_json, write_json

UNTRAINED = ("random", "popularity")
"""Rows of a comparison that have no vectors of items."""


def main(
    dataset: Annotated[Path, typer.Argument(help="Data set folder, split by cold-items.")],
    like: Annotated[list[str], typer.Option(help="Stored comparisons: benchmarks/results/LIKE.json; repeatable.")],
    name: Annotated[str, typer.Option(help="Name of the result: benchmarks/results/NAME.json.")],
    models: Annotated[str | None, typer.Option(help="Rows of it, comma-separated; all without it.")] = None,
    features: Annotated[str, typer.Option(help="By which the content rule compares items.")] = "image,audio",
    k: Annotated[int, typer.Option(help="Content neighbours per item.")] = 10,
    seeds: int = 1,
    runs: Annotated[Path, typer.Option(help="Where the run folders go.")] = Path("runs/cold-models"),
    results: Annotated[Path, typer.Option(help="Folder for the result, and of the stored comparisons.")] = RESULTS,
) -> None:
    """Print the table, and store it after every model."""
    data, names = Dataset.open(dataset), features.split(",")
    ranking = ColdRanking(data, Split.TEST)
    wanted = chosen_rows([read_json(results / f"{one}.json") for one in like], models and models.split(","))
    result: dict[str, Any] = {
        "name": name,
        "command": command(),
        "dataset": {"name": data.name, **data.counts()},
        "features": names,
        "k": k,
        "like": like,
        "items": {"all": data.interactions.n_items, "cold": int(ranking.cold.sum()), "test": len(ranking.items)},
        "users": len(ranking.evaluator.users),
        "metric": "recall@20",
        "seeds": seeds,
        "rows": {"chance": {"own": ranking.chance()}, "popularity": {"own": popularity(data, ranking, 0)}},
        "machine": machine(),
    }
    for row, settings in wanted.items():
        own, placed = [], []
        for seed in range(seeds):
            tables = trained(dataset, runs / f"{row}-{seed}", options(row, settings, seed))
            own.append(ranking.of(tables))
            placed.append(ranking.of(by_content(tables, data, names, k)))
        result["rows"][row] = {**settings, "own": over_seeds(own), "by_content": over_seeds(placed)}
        write_json(results / f"{name}.json", result)
        say(row, result["rows"][row])


def chosen_rows(stored: list[dict[str, Any]], models: list[str] | None) -> dict[str, dict[str, Any]]:
    """Features, settings and epochs of every row that learns; a later comparison replaces rows of an earlier one."""
    rows = {}
    for comparison in stored:
        for model in comparison["models"]:
            if model["name"] in UNTRAINED or (models and model["name"] not in models):
                continue
            best = fmean(run["best_epoch"] for run in model["runs"])
            rows[model["name"]] = {
                "features": model["features"],
                "settings": model["chosen"],
                "lr": model["training"]["lr"],
                "epochs": max(0, round(best + 1)),
            }
    missing = sorted(set(models or ()) - rows.keys())
    if missing:
        there = sorted({model["name"] for comparison in stored for model in comparison["models"]} - {*UNTRAINED})
        raise SystemExit(f"not in the stored comparisons: {', '.join(missing)}; there are: {', '.join(there)}")
    return rows


def options(row: str, settings: dict[str, Any], seed: int) -> list[str]:
    """What the train verb is given."""
    name = parse_row(row)
    if name.layer is not None:
        raise SystemExit(f"row '{row}' has a layer of its own, which is not supported here; leave it out with --models")
    given = {"training.lr": settings["lr"], **settings["settings"]}
    if settings["epochs"]:
        # nothing but the last epoch is validated, on other cold items, and nothing is chosen
        given |= {"training.epochs": settings["epochs"], "training.eval_every": settings["epochs"]}
    features = ["--features", ",".join(settings["features"]) or "none"]
    text = [f"{key.removeprefix('training.')}={json.dumps(value)}" for key, value in given.items()]
    return ["--model", name.model, *features, "--seed", str(seed), *assignments([*text, *name.settings])]


def over_seeds(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over the seeds, with their standard deviation where there are several."""
    held: dict[str, Any] = {}
    for key in ("all", "cold_only"):
        means = [row[key]["mean"] for row in rows]
        held[key] = {"mean": fmean(means), "standard_error": fmean(row[key]["standard_error"] for row in rows)}
        if len(means) > 1:
            held[key]["deviation"] = stdev(means)
    return {**held, "cold_in_top": fmean(row["cold_in_top"] for row in rows)}


def say(row: str, found: dict[str, Any]) -> None:
    """One line per model."""
    cells = [f"{found[how][key]['mean']:.4f}" for how in ("own", "by_content") for key in ("all", "cold_only")]
    print(f"{row:24} own {cells[0]} {cells[1]}   by content {cells[2]} {cells[3]}", flush=True)


if __name__ == "__main__":
    typer.run(main)
