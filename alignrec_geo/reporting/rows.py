"""The rows of the main table: every model's mean and spread over its seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median, stdev
from typing import Any

METRICS = ("recall@10", "recall@20", "ndcg@10", "ndcg@20")
COSTS = ("seconds_per_epoch", "seconds_to_best", "peak_memory_mb", "parameters")
FLOORS = ("popularity", "random", "content-knn")
"""Models that learn nothing; they show what a number is worth."""
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
        means: mean of every metric over the seeds; empty if none finished.
        spreads: standard deviation of every metric; empty for fewer than two seeds.
        costs: median of every cost over the seeds.
        difference: the reference's Recall@20 minus this model's; ``None`` for the reference.
        p: Holm-corrected p of that difference.
    """

    model: str
    done: int
    wanted: int
    failed: int
    means: Mapping[str, float]
    spreads: Mapping[str, float]
    costs: Mapping[str, float]
    difference: float | None
    p: float | None

    @property
    def floor(self) -> bool:
        """Whether it is one of :data:`FLOORS`."""
        return self.model in FLOORS

    @property
    def seeds(self) -> str:
        """How many seeds the numbers rest on."""
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.done}{failed}" if self.done == self.wanted else f"{self.done} of {self.wanted}{failed}"


def summarise(results: Mapping[str, Any]) -> list[Row]:
    """Return one row per model, the best mean Recall@20 first, models without a finished run last."""
    tested = {row["baseline"]: row for row in results["significance"] if row["metric"] == "recall@20"}
    rows = [_row(model, results["seeds"], tested.get(model["name"])) for model in results["models"]]
    return sorted(rows, key=lambda row: (-row.means.get("recall@20", -1.0), row.model))


def best_two(rows: Sequence[Row], metric: str) -> list[str]:
    """The models with the highest and the second-highest mean of a metric, floors left out."""
    trained = [row for row in rows if not row.floor and metric in row.means]
    return [row.model for row in sorted(trained, key=lambda row: -row.means[metric])[:2]]


def _row(model: Mapping[str, Any], wanted: int, tested: Mapping[str, Any] | None) -> Row:
    runs = [run for run in model["runs"] if run["error"] is None]
    values = {name: [run["metrics"][name] for run in runs] for name in METRICS} if runs else {}
    costs = {name: [run[name] for run in runs if run[name] is not None] for name in COSTS}
    return Row(
        model=model["name"],
        done=len(runs),
        wanted=wanted,
        failed=len(model["runs"]) - len(runs),
        means={name: mean(column) for name, column in values.items()},
        spreads={name: stdev(column) for name, column in values.items() if len(column) > 1},
        costs={name: median(column) for name, column in costs.items() if column},
        difference=None if tested is None else tested["difference"],
        p=None if tested is None else tested["p_holm"],
    )
