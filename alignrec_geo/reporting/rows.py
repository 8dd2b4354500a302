"""The rows of the main table: every model's mean and spread over its seeds."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median, stdev
from typing import Any

from alignrec_geo.evaluation.metrics import DEFAULT, SHOWN
from alignrec_geo.reporting.words import base_model

COSTS = ("seconds_per_epoch", "seconds_to_best", "peak_memory_mb", "parameters")
NON_LEARNED = ("popularity", "random", "content-knn")
"""Models that learn nothing; they show what a number is worth."""
CPU = "CPU"
"""Name of any device that is not a GPU."""
ALPHA = 0.05
"""Corrected p below it counts as a difference."""


@dataclass(frozen=True)
class Row:
    """One model.

    Args:
        model: its name.
        done: seeds that finished.
        wanted: seeds that were asked for.
        failed: seeds that failed.
        means: mean of every metric of the table over the seeds; empty if none finished.
        spreads: standard deviation of every metric; empty for fewer than two seeds.
        costs: median of every cost over the seeds.
        devices: what its seeds were trained on, GPUs by name and any processor as ``CPU``; empty for a baseline without
            training, and for results of before this was stored.
        difference: the reference's Recall@20 minus this model's; ``None`` for the reference.
        p: Holm-corrected p of that difference; ``None`` where one of both has fewer than two seeds, whose differences
            could be an accident of the one seed.
    """

    model: str
    done: int
    wanted: int
    failed: int
    means: Mapping[str, float]
    spreads: Mapping[str, float]
    costs: Mapping[str, float]
    devices: tuple[str, ...]
    difference: float | None
    p: float | None

    @property
    def non_learned(self) -> bool:
        """Whether it is one of :data:`NON_LEARNED`, a baseline without training."""
        return base_model(self.model) in NON_LEARNED

    @property
    def tested(self) -> bool:
        """Whether there is a test of its difference from the reference."""
        return self.difference is not None and self.p is not None

    @property
    def significant(self) -> bool:
        """Whether the test calls the difference more than chance."""
        return self.p is not None and self.p < ALPHA

    @property
    def seeds(self) -> str:
        """How many seeds the numbers rest on."""
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.done}{failed}" if self.done == self.wanted else f"{self.done} of {self.wanted}{failed}"


def summarise(results: Mapping[str, Any]) -> list[Row]:
    """Return one row per model, the best mean Recall@20 first, models without a finished run last."""
    tested = {row["baseline"]: row for row in results["significance"] if row["metric"] == "recall@20"}
    several = has_several_seeds(results)
    names = [*SHOWN, *further_metrics(results)]
    rows = [_row(model, results["seeds"], tested.get(model["name"]), several, names) for model in results["models"]]
    return sorted(rows, key=lambda row: (-row.means.get("recall@20", -1.0), row.model))


def further_metrics(results: Mapping[str, Any]) -> list[str]:
    """The metrics that were measured beside the usual ones, each at 20 or, without that, at its first cutoff.

    Args:
        results: the content of ``results.json``.
    """
    found: dict[str, list[str]] = {}
    for key in (key for model in results["models"] for run in model["runs"] for key in run["metrics"] or ()):
        found.setdefault(key.partition("@")[0], []).append(key)
    return [f"{name}@20" if f"{name}@20" in keys else keys[0] for name, keys in found.items() if name not in DEFAULT]


def devices_of(rows: Sequence[Row]) -> list[str]:
    """What the models were trained on."""
    return sorted({device for row in rows for device in row.devices})


def costs_compare(rows: Sequence[Row]) -> bool:
    """Whether seconds and memory of the models can be set side by side: all were trained on one device."""
    return len(devices_of(rows)) <= 1


def metric_columns(rows: Sequence[Row]) -> list[str]:
    """The metrics of a table of ``rows``, the usual ones first."""
    return list(dict.fromkeys([*SHOWN, *(name for row in rows for name in row.means)]))


def has_several_seeds(results: Mapping[str, Any]) -> Collection[str]:
    """The models whose differences from the reference may be tested: they and the reference have two finished seeds."""
    done = {model["name"]: sum(run["error"] is None for run in model["runs"]) for model in results["models"]}
    return {name for name, count in done.items() if min(count, done.get(results["reference"], 0)) > 1}


def best_two(rows: Sequence[Row], metric: str) -> tuple[set[str], set[str]]:
    """The models with the highest and with the second-highest mean of a metric, as the tables show them.

    Non-learned baselines take part: a model that is worse than popularity is not the best. With one model there is no
    best.
    """
    shown = {row.model: f"{row.means[metric]:.4f}" for row in rows if metric in row.means}
    if len(shown) < 2:
        return set(), set()
    highest = sorted(set(shown.values()), key=float, reverse=True)[:2]
    first, second = ({name for name, value in shown.items() if value in highest[n : n + 1]} for n in (0, 1))
    return first, second if len(first) == 1 else set()


def _row(
    model: Mapping[str, Any],
    wanted: int,
    tested: Mapping[str, Any] | None,
    several: Collection[str],
    names: Sequence[str],
) -> Row:
    runs = [run for run in model["runs"] if run["error"] is None]
    values = {name: [run["metrics"][name] for run in runs if name in run["metrics"]] for name in names}
    costs = {name: [run[name] for run in runs if run[name] is not None] for name in COSTS}
    return Row(
        model=model["name"],
        done=len(runs),
        wanted=wanted,
        failed=len(model["runs"]) - len(runs),
        means={name: mean(column) for name, column in values.items() if column},
        spreads={name: stdev(column) for name, column in values.items() if len(column) > 1},
        costs={name: median(column) for name, column in costs.items() if column},
        devices=_devices(model["name"], runs),
        difference=None if tested is None else tested["difference"],
        p=tested["p_holm"] if tested is not None and model["name"] in several else None,
    )


def _devices(model: str, runs: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """What the runs of a model were trained on, where that is known."""
    if base_model(model) in NON_LEARNED:
        return ()
    return tuple(sorted({run["gpu"] or CPU for run in runs if "gpu" in run}))
