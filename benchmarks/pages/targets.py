"""The project's speed targets, and what the stored results say of each."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

Results = Mapping[str, Mapping[str, Any]]


class Target(NamedTuple):
    """One row of the targets table.

    Args:
        what: what is measured.
        wanted: the target in words.
        result: name of the result that it is read from.
        read: from that result: the figure, or ``None`` where that part was not run, and whether it meets the target;
            ``None`` where there is nothing to meet.
    """

    what: str
    wanted: str
    result: str
    read: Callable[[Mapping[str, Any]], tuple[str, bool | None] | None]


def row(result: Mapping[str, Any], start: str) -> Mapping[str, Any] | None:
    """The row of a result whose ``what`` begins with ``start``."""
    return next((row for row in result["rows"] if row["what"].startswith(start)), None)


def at_least(start: str, wanted: float, key: str = "ratio") -> Callable[[Mapping[str, Any]], tuple[str, bool] | None]:
    """A factor of a row that must be at least ``wanted``."""

    def read(result: Mapping[str, Any]) -> tuple[str, bool] | None:
        found = row(result, start)
        if found is None or found.get(key) is None:
            return None
        return f"{found[key]:.1f}×", found[key] >= wanted

    return read


def _over_limit(result: Mapping[str, Any]) -> tuple[str, bool] | None:
    found = row(result, "training step, trainable")
    if found is None:
        return None
    text = f"{found['issue_limit_ratio']:.2f}× ({found['limit_ratio']:.2f}× by the count below)"
    return text, found["issue_limit_ratio"] <= 1.5


def _bare(result: Mapping[str, Any]) -> tuple[str, bool]:
    return f"{result['limit_ratio']:.2f}×", result["limit_ratio"] <= 2.0


def _sampling_share(result: Mapping[str, Any]) -> tuple[str, bool] | None:
    found = row(result, "sampling")
    return None if found is None else (f"{100 * found['share_of_epoch']:.2g} %", found["share_of_epoch"] < 0.03)


def _knn(result: Mapping[str, Any]) -> tuple[str, bool]:
    seconds, memory = result["seconds"]["median"], result["peak_memory_above_features_gb"]
    text = f"{seconds:.1f} s, {memory:.2f} GB; largest error {result['largest_similarity_gap']:.0e}"
    return text, seconds <= 60 and memory <= 1


def _memory(result: Mapping[str, Any]) -> tuple[str, bool]:
    return f"{result['peak_memory_gb']:.2f} GB, {result['epoch_seconds']:.0f} s", result["peak_memory_gb"] <= 4


def _scale(result: Mapping[str, Any]) -> tuple[str, bool]:
    exponents = result["exponent"], result["exponent_of_the_last_two"]
    text = f"exponent {exponents[0]:.2f} ({exponents[1]:.2f} between the last two), {result['peak_memory_gb']:.1f} GB"
    return text, max(exponents) <= 1.1 and result["peak_memory_gb"] <= 12


def _quality(result: Mapping[str, Any]) -> tuple[str, bool | None]:
    faithful = result["mean"]["faithful"]
    if result["ratio"] is None:
        return f"{faithful['seconds_to_99']:.0f} s", None
    faster = result["mean"]["faster"]
    reached = faster["seconds_to_faithful_99"]
    text = (
        f"{faithful['seconds_to_99']:.0f} s → {faster['seconds_to_99']:.0f} s; final validation Recall@20 "
        f"{faithful['final']:.4f} → {faster['final']:.4f}"
    )
    return text, reached is not None and 2 * max(reached, faster["seconds_to_99"]) <= faithful["seconds_to_99"]


TARGETS = (
    Target(
        "training step against naive, trainable features",
        "≥ 3.5×",
        "epoch",
        at_least("training step, trainable", 3.5),
    ),
    Target("training step against naive, frozen features", "≥ 4.5×", "epoch", at_least("training step, frozen", 4.5)),
    Target(
        "epoch with one validation against naive, trainable features",
        "≥ 4×",
        "epoch",
        at_least("epoch with validation, trainable", 4),
    ),
    Target("step over the limit of 8 GFLOP and 0.5 GB", "≤ 1.5×", "epoch", _over_limit),
    Target("full ranking and all metrics against naive", "≥ 10×", "ranking", at_least("forward, ranking", 10)),
    Target("ranking and metrics over bare product and top-k", "≤ 2×", "ranking", _bare),
    Target("sampling of an epoch against the Python loop", "≥ 50×", "epoch", at_least("sampling", 50)),
    Target("sampling, share of an epoch", "< 3 %", "epoch", _sampling_share),
    Target("LightGCN epoch against RecBole", "≥ 3×", "peers", at_least("RecBole LightGCN", 3)),
    Target("LightGCN epoch against PyG's example loop", "≥ 5×", "epoch", at_least("LightGCN", 5)),
    Target("exact neighbours, k=10, 63,001 × 768", "≤ 60 s, ≤ 1 GB above the features", "knn", _knn),
    Target("peak memory, one epoch at Electronics' shape", "≤ 4 GB", "memory", _memory),
    Target("cost per step from 0.1 M to 10 M edges", "exponent ≤ 1.1, ≤ 12 GB", "scale", _scale),
    Target("seconds to 99 % of the final quality, TikTok", "≤ half", "time-to-quality-tiktok", _quality),
    Target("seconds to 99 % of the final quality, Baby", "≤ half", "time-to-quality-baby", _quality),
)


def targets_table(results: Results) -> list[list[str]]:
    """What, target, measured, met; a part that was not run is said to be so."""
    table = []
    for target in TARGETS:
        found = target.read(results[target.result]) if target.result in results else None
        measured, met = found if found is not None else ("not measured", None)
        table.append([target.what, target.wanted, measured, {True: "yes", False: "no", None: ""}[met]])
    return table
