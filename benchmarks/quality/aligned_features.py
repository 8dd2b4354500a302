"""Are aligned features better than what they were made of? Zero-shot and item-CF, paired over users.

    alignrec-geo pretrain data/ml-1m --seed 0 --name aligned-s0     # and seeds 1 and 2
    python benchmarks aligned_features data/ml-1m --plain image,text,image+text \
        --aligned aligned-s0,aligned-s1,aligned-s2 --name aligned-ml-1m

Every content is judged as it is and centred. The seeds of the aligned features are averaged user by user and compared
with each plain content under the same centring. What pre-training said of held-out items is stored with it.
"""

import json
from math import sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import Annotated, Any

import polars as pl
import typer
from harness.machine import RESULTS, machine
from harness.measure import command
from harness.program import run_program

from alignrec_geo.dataset import Dataset
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.evaluation.protocols import Protocol
from alignrec_geo.evaluation.significance import paired_comparison
from alignrec_geo.files import read_json, write_json
from alignrec_geo.probing.probe import Probe, ProbeRow

METRIC, ALIGNED = "recall@20", "aligned"
MEASURES = ("zero_shot", "item_cf")


def main(
    dataset: Annotated[Path, typer.Argument(help="Data set folder.")],
    plain: Annotated[str, typer.Option(help="Contents to compare with, comma-separated; 'a+b' joins two.")],
    aligned: Annotated[str, typer.Option(help="Aligned features, one per seed, comma-separated.")],
    name: Annotated[str, typer.Option(help="Name of the result: benchmarks/results/NAME.json.")],
    protocol: str = "mmrec",
    k: Annotated[int, typer.Option(help="Content neighbours per item.")] = 10,
) -> None:
    """Print the table, and store it."""
    data, contents, seeds = Dataset.open(dataset), plain.split(","), aligned.split(",")
    probe = Probe(data, [*contents, *seeds], Split.TEST, Protocol.parse(protocol), k)
    rows = probe.rows()
    result: dict[str, Any] = {
        "name": name,
        "command": command(),
        "dataset": {"name": data.name, **data.counts()},
        "items": len(probe.items),
        "users": len(probe.evaluator.users),
        "protocol": protocol,
        "k": k,
        "metric": METRIC,
        "rows": [summary(row) for row in rows],
        "aligned": [mean_of_seeds(rows, seeds, centred) for centred in (False, True)],
        "paired": [test for centred in (False, True) for test in paired(rows, data, contents, seeds, centred)],
        "encoders": [pretrained(data, feature) for feature in seeds],
    }
    result["held_out"] = held_out(result["encoders"])
    result["machine"] = machine()
    write_json(RESULTS / f"{name}.json", result)
    print(json.dumps({key: result[key] for key in ("rows", "aligned", "paired", "held_out")}, indent=1))


def summary(row: ProbeRow) -> dict[str, Any]:
    """One row of the table."""
    return {
        "content": row.content,
        "centred": row.centred,
        "zero_shot": row.zero_shot.metrics[METRIC],
        "item_cf": None if row.item_cf is None else row.item_cf.metrics[METRIC],
        "agreement": row.agreement,
    }


def mean_of_seeds(rows: list[ProbeRow], seeds: list[str], centred: bool) -> dict[str, Any]:
    """Mean and standard deviation over the seeds."""
    chosen = [summary(row) for row in rows if row.content in seeds and row.centred == centred]
    means = {measure: fmean(row[measure] for row in chosen) for measure in (*MEASURES, "agreement")}
    spread = {f"{measure}_sd": stdev(row[measure] for row in chosen) if len(chosen) > 1 else 0.0 for measure in means}
    return {"centred": centred, "seeds": len(chosen), **means, **spread}


def paired(
    rows: list[ProbeRow], data: Dataset, contents: list[str], seeds: list[str], centred: bool
) -> list[dict[str, Any]]:
    """Aligned against each plain content, user by user."""
    tests = []
    for measure in MEASURES:
        frames = []
        for row in rows:
            if row.centred != centred or row.content not in (*contents, *seeds):
                continue
            model, seed = (ALIGNED, seeds.index(row.content)) if row.content in seeds else (row.content, 0)
            frame = getattr(row, measure).frame(data.users["id"]).select("user", METRIC)
            frames.append(frame.with_columns(pl.lit(model).alias("model"), pl.lit(seed).alias("seed")))
        for test in paired_comparison(pl.concat(frames), ALIGNED, METRIC):
            tests.append({"measure": measure, "centred": centred, **test})
    return tests


def pretrained(data: Dataset, feature: str) -> dict[str, Any]:
    """How an encoder was made, and its last losses on held-out items."""
    folder = data.encoder_folder(feature)
    history = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    config = read_json(folder / "config.json")
    return {
        "features": feature,
        "kind": config["kind"],
        "seed": config["seed"],
        "settings": {**config["loop"], **config["task"]["settings"], "whitening": config["shrink"]},
        "epochs": len(history),
        "seconds": round(sum(record["seconds"] for record in history), 1),
        "held_out": next((record["held_out"] for record in reversed(history) if "held_out" in record), {}),
    }


def held_out(encoders: list[dict[str, Any]]) -> dict[str, Any]:
    """What the right partner saves on held-out items, with its standard error over the seeds."""
    saved: dict[str, Any] = {}
    for key in encoders[0]["held_out"]:
        if f"{key} shuffled" not in encoders[0]["held_out"]:
            continue
        gains = [encoder["held_out"][f"{key} shuffled"] - encoder["held_out"][key] for encoder in encoders]
        error = stdev(gains) / sqrt(len(gains)) if len(gains) > 1 else None
        saved[key] = {"gain": fmean(gains), "standard_error": error, "by_seed": gains}
    return saved


if __name__ == "__main__":
    run_program(main)
