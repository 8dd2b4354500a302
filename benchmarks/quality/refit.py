"""What a refit is worth: the validation pairs trained on too, with the number of epochs that validation chose.

    python benchmarks refit data/ml-100k --features image,text
    python benchmarks refit data/tiktok --features image,audio

``train --refit`` trains on the test pairs as well, so what it makes cannot be measured. Here the test pairs stay held
out in both runs; they differ by the validation pairs, which are the smaller part of what a refit adds. Both are ranked
with the training and validation items left out.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from harness.data_sets import store_data_set
from harness.program import run_program

from alignrec_geo import Dataset
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.dataset.splits import SplitConfig
from alignrec_geo.models import find_model
from alignrec_geo.training import FitResult, fit
from alignrec_geo.training.run_config import RunConfig

METRICS = ("recall@20", "ndcg@20")


def main(
    dataset: Annotated[Path, typer.Argument(help="Data set folder with all three splits.")],
    models: Annotated[str, typer.Option(help="Comma-separated.")] = "lightgcn",
    features: Annotated[str, typer.Option(help="Comma-separated, or none.")] = "image,text",
    seeds: int = 2,
    settings: Annotated[list[str] | None, typer.Option("--set", help="key=value, for all runs.")] = None,
    name: Annotated[str, typer.Option(help="Name of the result: benchmarks/results/NAME.json.")] = "refit",
) -> None:
    """Print the table, and add this data set's part to the stored result."""
    data = Dataset.open(dataset)
    names = [] if features == "none" else features.split(",")
    rows: dict[str, Any] = {}
    for model in models.split(","):
        rows[model] = []
        for seed in range(seeds):
            config = RunConfig.resolve({"model": model, "features": names, "seed": seed}, settings or [])
            chosen = run(config, data)
            more = config.model_copy(
                update={"training": config.training.model_copy(update={"epochs": chosen.best_epoch + 1})}
            )
            refit = run(more, with_validation(data))
            rows[model].append(
                {
                    "seed": seed,
                    "epochs": chosen.best_epoch + 1,
                    "chosen": {metric: chosen.metrics[metric] for metric in METRICS},
                    "refit": {metric: refit.metrics[metric] for metric in METRICS},
                }
            )
            print(model, rows[model][-1], flush=True)
    store_data_set(name, data.name, {"features": names, "counts": data.counts(), "rows": rows})


def run(config: RunConfig, data: Dataset) -> FitResult:
    """Train and test the model that the settings describe."""
    model = find_model(config.model).from_dataset(data, config.features, config.parameters, config.seed)
    return fit(model, data, config.training, seed=config.seed)


def with_validation(data: Dataset) -> Dataset:
    """The data set with its validation pairs in training."""
    split = np.where(data.interactions.split == Split.VALIDATION, Split.TRAIN, data.interactions.split).astype(np.int8)
    return replace(data, interactions=data.interactions.with_split(split), split_config=SplitConfig(rule="given"))


if __name__ == "__main__":
    run_program(main)
