"""What a run's report says in words and numbers: tiles, tables, the data set."""

from collections.abc import Mapping, Sequence
from typing import Any

from alignrec_geo.dataset.interactions import Split
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.dataset.summary import CONTENT
from alignrec_geo.evaluation.metrics import DEFAULT
from alignrec_geo.reporting.words import count, decimal, duration, metric_name

Metrics = Mapping[str, float]
Tile = tuple[str, str, str]


def how_chosen(result: Mapping[str, Any]) -> str:
    """Which epoch a run ended with, and what chose it; of runs of earlier releases, what their results say of it.

    Args:
        result: the content of ``result.json``.

    Example:
        >>> how_chosen({"chosen_by": "last epoch", "best_epoch": 39, "epochs": 40})
        'the last of 40 epochs; there was nobody to validate on'
    """
    by = result.get("chosen_by") or ("validation" if result.get("validation") else "last epoch")
    if not result["epochs"]:
        return "nothing to train"
    if by == "validation":
        return f"epoch {result['best_epoch'] + 1} of {result['epochs']}, chosen by validation"
    if by == "refit":
        return f"{result['epochs']} epochs on the pairs of all splits; not measured, as nothing is held out"
    return f"the last of {result['epochs']} epochs; there was nobody to validate on"


def measured(result: Mapping[str, Any]) -> tuple[str, Metrics]:
    """The split whose metrics stand for a run, and the metrics: of test, or else of validation."""
    return ("test", result["metrics"]) if result["metrics"] else ("validation", result["validation"])


def summary(config: Mapping[str, Any], result: Mapping[str, Any], popular: Mapping[str, Metrics]) -> str:
    """A run in one or two sentences.

    Args:
        config: the content of ``config.yaml``.
        result: the content of ``result.json``.
        popular: popularity's metrics by split.
    """
    split, metrics = measured(result)
    key = "recall@20" if "recall@20" in metrics else next(iter(metrics), None)
    features = ", ".join(config.get("features") or []) or "none, ids alone"
    chosen = how_chosen(result)
    ended = f"{chosen[0].upper()}{chosen[1:]}. Features: {features}. Seed {config['seed']}."
    if key is None:
        return ended
    floor = popular.get(split, {}).get(key)
    times = f", {metrics[key] / floor:.1f} times what popularity reaches" if floor else ""
    return f"{metric_name(key)} on {split} is {metrics[key]:.4f}{times}. {ended}"


def tiles(
    config: Mapping[str, Any],
    result: Mapping[str, Any],
    popular: Mapping[str, Metrics],
    history: Sequence[Mapping[str, Any]],
) -> list[Tile]:
    """Label, value and what stands under it, of what one asks first.

    Args:
        config: the content of ``config.yaml``.
        result: the content of ``result.json``.
        popular: popularity's metrics by split.
        history: the lines of ``metrics.jsonl``.
    """
    split, metrics = measured(result)
    validation = result["validation"]
    keys = [key for key in ("recall@20", "ndcg@20", config["training"]["metric"]) if key in metrics]
    found: list[Tile] = []
    for key in list(dict.fromkeys(keys)):
        under = f"validation {validation[key]:.4f}" if split == "test" and key in validation else f"on {split}"
        found.append((f"{metric_name(key)}, {split}", f"{metrics[key]:.4f}", under))
    if keys and (floor := popular.get(split, {}).get(keys[0])):
        value = f"{metrics[keys[0]] / floor:.1f} ×"
        found.append(("times popularity", value, f"whose {metric_name(keys[0])} is {floor:.4f}"))
    if result["epochs"]:
        chosen = (f"{result['best_epoch'] + 1} of {result['epochs']}", "chosen by validation")
        if not how_chosen(result).endswith("by validation"):
            chosen = (str(result["epochs"]), "all of them; none was chosen")
        found.append(("epoch", *chosen))
        seconds = [record["seconds"] for record in history]
        each = f"{duration(sum(seconds) / len(seconds))} per epoch" if seconds else ""
        found.append(("time", duration(result["seconds"]), each))
    if result.get("parameters") is not None:
        found.append(("parameters", count(result["parameters"]), "numbers that are trained"))
    return found


def metric_tables(
    result: Mapping[str, Any], popular: Mapping[str, Metrics]
) -> list[tuple[str, list[str], list[list[str]]]]:
    """One table per metric: cutoffs down, validation, test, and popularity on test across.

    Args:
        result: the content of ``result.json``.
        popular: popularity's metrics by split.
    """
    columns = {"validation": result["validation"], "test": result["metrics"]}
    columns = {name: values for name, values in columns.items() if values}
    if columns and (floor := popular.get(list(columns)[-1])):
        columns["popularity"] = floor
    keys = list(dict.fromkeys(key for values in columns.values() for key in values))
    names = sorted(dict.fromkeys(key.partition("@")[0] for key in keys), key=lambda name: name not in DEFAULT)
    found = []
    for name in names:
        own = [key for key in keys if key.partition("@")[0] == name]
        rows = [
            [key.partition("@")[2] or name, *(decimal(values.get(key)) for values in columns.values())] for key in own
        ]
        found.append((metric_name(name), ["at", *columns], rows))
    return found


def dataset_facts(data: Dataset, features: Any) -> list[tuple[str, str]]:
    """What there is to say of a data set, as names and values.

    Args:
        data: the data set of the run.
        features: names of the feature matrices that were used.
    """
    counts, pairs = data.counts(), data.interactions
    degree = pairs.of(Split.TRAIN).user_degree()
    known = [f"{data.items[name].count():,} with {what}" for name, what in CONTENT.items() if data.items[name].count()]
    cells = max(counts["users"] * counts["items"], 1)
    density = f"{counts['interactions']:,} of {cells:,} possible ({counts['interactions'] / cells:.2%})"
    splits = ", ".join(f"{name} {counts[name]:,}" for name in ("train", "validation", "test"))
    middle = int(sorted(degree.tolist())[len(degree) // 2]) if len(degree) else 0
    rows = {
        "users": f"{counts['users']:,}; half of them have {middle:,} or fewer items in training",
        "items": f"{counts['items']:,}{', ' if known else ''}{', '.join(known)}",
        "pairs": density,
        "split": f"{splits} (rule {data.split_config.rule})",
        "features": ", ".join(features or []) or "none",
        "source": "; ".join(f"{key.replace('_', ' ')}: {value}" for key, value in data.source.items()),
        "fingerprint": data.fingerprint()[:16],
    }
    return [(name, value) for name, value in rows.items() if value]
