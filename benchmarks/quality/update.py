"""A run trained on with new pairs, users and items, against training anew: quality and time.

    python benchmarks update data/ml-100k --features image,text
    python benchmarks update data/tiktok --features image,audio

All pairs are ordered by time (by chance where there are no times). The first 65 % are what the old run knows, of which
its last tenth validates. Then come 15 % that are new, 10 % that choose the epoch and 10 % that are tested. Users and
items whose first pair is later are unknown to the old run. Training anew and the update end with the same data set.
"""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import polars as pl
import torch
import typer
from harness.data_sets import store_data_set
from harness.program import run_program

from alignrec_geo import Dataset, load
from alignrec_geo.dataset.extend import extended
from alignrec_geo.dataset.features import Features
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.evaluation import Evaluator
from alignrec_geo.files import read_json
from alignrec_geo.models import find_model
from alignrec_geo.randomness import child_generator
from alignrec_geo.records import read_epochs
from alignrec_geo.training.configured import fit_config
from alignrec_geo.training.run_config import RunConfig
from alignrec_geo.training.update import update_run
from alignrec_geo.training.warm_start import warm_start

METRICS = ("recall@20", "ndcg@20")
OLD, NEW, VALIDATION = 0.65, 0.80, 0.90
"""Where the parts of the ordered pairs end."""


def main(
    dataset: Annotated[Path, typer.Argument(help="Data set folder.")],
    models: Annotated[str, typer.Option(help="Comma-separated.")] = "lightgcn,alignrec",
    features: Annotated[str, typer.Option(help="Comma-separated, or none.")] = "image,text",
    epochs: Annotated[int, typer.Option(help="Epochs of updates.")] = 20,
    keep: Annotated[str, typer.Option(help="Shares of the old parameters, comma-separated.")] = "1,0.3,0.1",
    seed: int = 0,
    settings: Annotated[list[str] | None, typer.Option("--set", help="key=value, for all runs.")] = None,
    runs: Annotated[Path, typer.Option(help="Where runs and data sets go.")] = Path("runs/update"),
    name: Annotated[str, typer.Option(help="Name of the result: benchmarks/results/NAME.json.")] = "update",
) -> None:
    """Print the table, and add this data set's part to the stored result."""
    data, here = Dataset.open(dataset), runs / dataset.name
    names = [] if features == "none" else features.split(",")
    old, new, items = parts(data, seed)
    extension = extended(old, new, items, rows_of(data, items))
    before = old.save(here / "old", overwrite=True)
    after = extension.dataset.save(here / "after", overwrite=True)
    rows: dict[str, Any] = {}
    for model in models.split(","):
        given = {"model": model, "features": names, "seed": seed}
        configs = {
            part.path.name: RunConfig.resolve({**given, "dataset": str(part.path)}, settings or [])
            for part in (before, after)
            if part.path is not None
        }
        fit_config(configs["old"], here / f"{model}-old", overwrite=True, test=False)
        fit_config(configs["after"], here / f"{model}-anew", overwrite=True)
        rows[f"{model}, trained anew"] = row(here / f"{model}-anew")
        rows[f"{model}, warm start alone"] = untrained(here / f"{model}-old", after, configs["after"])
        for share in map(float, keep.split(",")):
            out = here / f"{model}-update-{share:g}"
            content: dict[str, Any] = {"items": items, "rows": rows_of(data, items), "keep": share}
            content["training"] = configs["old"].training.model_copy(update={"epochs": epochs})
            update_run(here / f"{model}-old", new, out, here / "updated", overwrite=True, **content)
            rows[f"{model}, update, keep {share:g}"] = row(out)
        for label, found in rows.items():
            print(label, found, flush=True)
    counts = {key: getattr(extension, key) for key in ("pairs", "users", "items")}
    measurements = {
        "features": names,
        "order": "chance" if data.interactions.timestamp is None else "time",
        "old": old.counts(),
        "new": {**counts, "training": new.counts()["train"]},
        "rows": rows,
    }
    store_data_set(name, data.name, measurements)


def parts(data: Dataset, seed: int) -> tuple[Dataset, Dataset, pl.DataFrame]:
    """What the old run knows, what comes later, and the table of the items that only come later."""
    pairs = data.interactions
    if pairs.timestamp is None:
        order = torch.randperm(len(pairs), generator=child_generator(seed, "order")).numpy()
    else:
        order = np.argsort(pairs.timestamp, kind="stable")
    frame = pl.DataFrame({"user": data.users["id"].gather(pairs.user), "item": data.items["id"].gather(pairs.item)})
    frame = frame[order]
    ends = [round(share * len(pairs)) for share in (OLD * 0.9, OLD, NEW, VALIDATION)]
    place = np.searchsorted(ends, np.arange(len(pairs)), side="right")
    label = np.array([Split.TRAIN, Split.VALIDATION, Split.TRAIN, Split.VALIDATION, Split.TEST], dtype=np.int8)[place]
    frame = frame.with_columns(split=pl.Series(label))
    old_frame, new_frame = frame.filter(pl.Series(place < 2)), frame.filter(pl.Series(place >= 2))
    known = data.items.filter(pl.col("id").is_in(old_frame["item"].unique().to_list()))
    later = data.items.filter(~pl.col("id").is_in(known["id"].to_list())).select("id", "title", "text")
    old = Dataset.from_frame(old_frame, split="split", items=known.select("id", "title", "text"), name=data.name)
    rows = data.item_rows(old.items["id"])
    kept = [data.features(name) for name in data.feature_names]
    old = old.with_features(*(Features(part.name, part.matrix[rows], part.present[rows], part.meta) for part in kept))
    return old, Dataset.from_frame(new_frame, split="split", name="later"), later


def rows_of(data: Dataset, items: pl.DataFrame) -> dict[str, Any]:
    """The feature rows of items."""
    rows = data.item_rows(items["id"]) if items.height else np.zeros(0, dtype=np.int64)
    found = {name: data.features(name) for name in data.feature_names}
    return {name: (part.matrix[rows], part.present[rows]) for name, part in found.items()}


def row(run: Path) -> dict[str, Any]:
    """What a run reached, and how long it took until its best epoch and in all."""
    result, log = read_json(run / "result.json"), read_epochs(run / "metrics.jsonl")
    best = result["best_epoch"] + 1
    return {
        "test": {name: result["metrics"][name] for name in METRICS},
        "validation": {name: result["validation"][name] for name in METRICS},
        "epochs": result["epochs"],
        "best_epoch": best,
        "seconds": result["seconds"],
        "seconds_to_best": round(sum(epoch["seconds"] for epoch in log[:best]), 2),
    }


def untrained(run: Path, after: Dataset, config: RunConfig) -> dict[str, Any]:
    """New users and items with the rows that a warm start gives them, before the first step."""
    model = find_model(config.model).from_dataset(after, config.features, config.parameters, config.seed)
    warm_start(model, load(run))
    measured = {part: Evaluator(after, part)(model.embeddings()).metrics for part in (Split.VALIDATION, Split.TEST)}
    return {part.label: {name: found[name] for name in METRICS} for part, found in measured.items()}


if __name__ == "__main__":
    run_program(main)
