"""``report.html`` of one training run: what it reached, how it was trained, for whom, and what it recommends."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from alignrec_geo.dataset.interactions import Split
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.evaluation.evaluator import Evaluator
from alignrec_geo.evaluation.groups import ITEM_GROUPS, popularity_groups
from alignrec_geo.evaluation.protocols import Protocol
from alignrec_geo.files import atomic_path
from alignrec_geo.reading import reading
from alignrec_geo.records import Record, RunResult, read_epochs, read_record
from alignrec_geo.reporting import part_charts, run_charts
from alignrec_geo.reporting.charts import Chart
from alignrec_geo.reporting.pages import PROTOCOLS, made_on, render
from alignrec_geo.reporting.people import people
from alignrec_geo.reporting.run_measures import RunMeasures, measure_run
from alignrec_geo.reporting.run_words import dataset_facts, how_chosen, metric_tables, summary, tiles
from alignrec_geo.reporting.score_parts import ScoreParts
from alignrec_geo.reporting.words import model_name
from alignrec_geo.serving.store import DATASET, EMBEDDINGS, read_embeddings
from alignrec_geo.settings import checked, read_yaml

TAKEN_APART = 1000
"""Users whose recommended items' scores are taken apart."""
REPORT = "report.html"


@dataclass(frozen=True)
class Served:
    """What a run kept for serving, which most of a report is made of.

    Args:
        data: ids, titles and pairs.
        tables: ``users [U, D]`` and ``items [I, D]``.
        measures: popularity and groups.
        image_of: the image of an item's row, where there is one.
    """

    data: Dataset
    tables: Embeddings
    measures: RunMeasures
    image_of: Callable[[int], Path | None]


def write_run_report(folder: Path, parts: ScoreParts | None = None) -> None:
    """Write ``report.html`` into the folder of a finished run.

    What a run does not have is left out: one of an earlier release has no machine, one without its tables no users.

    Args:
        folder: holds ``config.yaml``, ``metrics.jsonl`` and ``result.json``.
        parts: what takes the model's scores apart (see :func:`alignrec_geo.explaining.score_parts.score_parts`).

    Raises:
        InputError: one of the files is missing or damaged.
    """
    history = read_epochs(folder / "metrics.jsonl")
    result = read_record(folder / "result.json", RunResult)
    config = _config(folder / "config.yaml")
    served = _served(folder, config, Protocol.parse(config["protocol"]))
    text = run_page(config, history, result, served, parts)
    with atomic_path(folder / REPORT) as staging:
        staging.write_text(text, encoding="utf-8")


class _Training(Record):
    metric: str


class _RunConfig(Record):
    """Of ``config.yaml``, what a report shows or asks."""

    model: str
    protocol: str
    seed: int
    training: _Training
    dataset: str | None = None
    features: list[str] | None = None
    parameters: dict[str, Any] | None = None
    kernels: dict[str, Any] | None = None


def _config(path: Path) -> dict[str, Any]:
    """The settings of a run as its file has them.

    Raises:
        InputError: they are missing or damaged; names the file and the field.
    """
    with reading(path, "configuration of a run"):
        config = read_yaml(path)
    checked(_RunConfig, config, prefix=f"{path}: ")
    return config


def run_page(
    config: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]],
    result: Mapping[str, Any],
    served: Served | None = None,
    parts: ScoreParts | None = None,
) -> str:
    """Return the page.

    Args:
        config: the content of ``config.yaml``.
        history: the lines of ``metrics.jsonl``.
        result: the content of ``result.json``.
        served: what the run kept for serving.
        parts: what takes scores apart.
    """
    measures = None if served is None else served.measures
    popular = {} if measures is None else dict(measures.popularity)
    metric = config["training"]["metric"]
    floor = popular.get("validation", {}).get(metric)
    by_validation = bool(result["validation"]) and how_chosen(result).endswith("by validation")
    curve = run_charts.validation(history, metric, result["best_epoch"], floor, by_validation)
    losses = run_charts.losses(history, result["best_epoch"])
    protocol = Protocol.parse(config["protocol"])
    shown = [] if served is None else people(served.data, served.tables, protocol, served.image_of, parts)
    found = {
        "Training": ("training", curve or losses),
        "Test beside validation": ("results", metric_tables(result, popular)),
        "Groups": ("groups", _groups(model_name(config["model"]), measures)),
        "Identity and content": ("content", _contributions(served, protocol, parts)),
        "Three users": ("users", shown),
        "Data set": ("data", None if served is None else dataset_facts(served.data, config.get("features"))),
        "How it was made": ("made", True),
    }
    return render(
        "run.html",
        model=model_name(config["model"]),
        dataset=served.data.name if served else Path(config.get("dataset") or "a data set in memory").name,
        summary=summary(config, result, popular),
        sections=[(name, id_) for name, (id_, content) in found.items() if content],
        tiles=tiles(config, result, popular, history),
        curve=curve,
        losses=losses,
        tables=found["Test beside validation"][1],
        popular="test" in popular,
        protocol=protocol.value,
        protocol_words=PROTOCOLS[protocol.value],
        groups=found["Groups"][1],
        sampled=f"{measures.sample:,} of {measures.users:,}" if measures and measures.sample else "",
        contributions=found["Identity and content"][1],
        people=shown,
        shares=parts is not None,
        facts=found["Data set"][1],
        made=[("seed", str(config["seed"])), *made_on(result.get("machine") or {})],
        command=result.get("command") or "",
        settings=[
            (f"{section}.{name}", value)
            for section in ("parameters", "training", "kernels")
            for name, value in (config.get(section) or {}).items()
        ],
    )


def _groups(model: str, measures: RunMeasures | None) -> list[Chart]:
    if measures is None or not measures.groups:
        return []
    names = run_charts.group_names(measures.groups, measures.items)
    titles = {"users": "Users by the length of their history", "items": "Items by popularity"}
    own, popular = measures.groups, measures.popularity_groups
    charts = [run_charts.groups(title, model, own, popular, kind, names) for kind, title in titles.items()]
    return [chart for chart in charts if chart is not None]


def _contributions(served: Served | None, protocol: Protocol, parts: ScoreParts | None) -> list[Chart]:
    """What the scores of the ten best items of some users of the test split are made of."""
    if served is None or parts is None or "test" not in served.measures.popularity:
        return []
    ranked = Evaluator(served.data.interactions, Split.TEST, protocol, 10).rank(served.tables)
    users, taken = [], []
    for block, scores, items in ranked:
        there = (scores[:, :10] > -np.inf).numpy()
        users.append(np.repeat(block.numpy(), there.sum(axis=1)))
        taken.append(items[:, :10].numpy()[there])
        if sum(map(len, users)) >= 10 * TAKEN_APART:
            break
    rows = np.concatenate(users), np.concatenate(taken)
    if not len(rows[0]):
        return []
    split = parts.of(*rows)
    group = popularity_groups(served.data.interactions.of(Split.TRAIN).item_degree())[rows[1]]
    return [
        part_charts.by_branch(parts.names, split, parts.exact),
        part_charts.by_popularity(split, group, ITEM_GROUPS),
    ]


def _served(folder: Path, config: Mapping[str, Any], protocol: Protocol) -> Served | None:
    """What the run kept for serving, if it kept it."""
    if not (folder / EMBEDDINGS).exists() or not (folder / DATASET).is_dir():
        return None
    data, tables = Dataset.open(folder / DATASET), read_embeddings(folder)
    pictures = _with_images(config.get("dataset"), data)
    return Served(data, tables, measure_run(tables, data.interactions, protocol), pictures)


def _with_images(stored: Any, data: Dataset) -> Callable[[int], Path | None]:
    """Where the images of items are: in the data set that was trained on, if it is still there and has these items."""
    if isinstance(stored, str) and Path(stored).is_dir():
        try:
            there = Dataset.open(stored)
        except InputError:  # something else by now
            return lambda row: None
        if there.items["id"].equals(data.items["id"]):
            return there.image_path
    return lambda row: None
