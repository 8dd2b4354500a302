"""The project's speed targets, and what the stored results say of each."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pages.gpu_section import before_and_now, rows_of

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
        return f"{found[key]:.2f}×", found[key] >= wanted

    return read


def _over_limit(result: Mapping[str, Any]) -> tuple[str, bool] | None:
    found = row(result, "training step, trainable")
    if found is None:
        return None
    text = f"{found['issue_limit_ratio']:.2f}× ({found['limit_ratio']:.2f}× by the count under Training)"
    return text, found["issue_limit_ratio"] <= 1.5


def _bare(result: Mapping[str, Any]) -> tuple[str, bool]:
    return f"{result['limit_ratio']:.2f}×", result["limit_ratio"] <= 0.7


def _sampling_share(result: Mapping[str, Any]) -> tuple[str, bool] | None:
    found = row(result, "sampling")
    return None if found is None else (f"{100 * found['share_of_epoch']:.2g} %", found["share_of_epoch"] < 0.03)


def _knn(result: Mapping[str, Any]) -> tuple[str, bool]:
    seconds, memory = result["seconds"]["median"], result["peak_memory_above_features_gb"]
    text = f"{seconds:.1f} s, {memory:.2f} GB; largest error {result['largest_similarity_gap']:.0g}"
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


def _gpu_step(kind: str, wanted: float) -> Callable[[Mapping[str, Any]], tuple[str, bool] | None]:
    def read(result: Mapping[str, Any]) -> tuple[str, bool] | None:
        found = next((row for row in rows_of(result, "steps") if kind in row["what"]), None)
        if found is None or "naive" not in found.get("ratio", {}):
            return None
        return f"{found['ratio']['naive']:.2f}×", found["ratio"]["naive"] >= wanted

    return read


def _gpu_limit(result: Mapping[str, Any]) -> tuple[str, bool] | None:
    found = [row["limit_ratio"] for row in rows_of(result, "steps") if "limit_ratio" in row]
    return (", ".join(f"{value:.2f}×" for value in found), max(found) <= 3) if found else None


def _gpu_epoch(result: Mapping[str, Any]) -> tuple[str, bool] | None:
    found = [row["ratio"] for row in rows_of(result, "epochs")]
    return (", ".join(f"{value:.2f}×" for value in found), min(found) >= 25) if found else None


def _gpu_ranking(result: Mapping[str, Any]) -> tuple[str, bool] | None:
    found = next((row["ratio"] for row in rows_of(result, "operations") if row["what"] == "topk"), None)
    return None if found is None else (f"{1 / found:.2f}×", 1 / found <= 1.1)


def _gpu_baselines(result: Mapping[str, Any]) -> tuple[str, bool] | None:
    factors = {name: old / new for name, (old, new) in before_and_now(result).items() if name != "alignrec"}
    if not factors:
        return None
    slowest = min(factors, key=lambda name: factors[name])
    return f"{factors[slowest]:.2f}× ({slowest}) to {max(factors.values()):.2f}×", factors[slowest] >= 3


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
    Target("ranking and metrics over bare product and top-k", "≤ 0.7×", "ranking", _bare),
    Target(
        "50 best, seen ones left out, bare product and top-k over ours", "≥ 1.5×", "ranking", at_least("50 best", 1.5)
    ),
    Target("sampling of an epoch against the Python loop", "≥ 50×", "epoch", at_least("sampling", 50)),
    Target("sampling, share of an epoch", "< 3 %", "epoch", _sampling_share),
    Target("LightGCN epoch against RecBole", "≥ 3×", "peers", at_least("RecBole LightGCN", 3)),
    Target("LightGCN epoch against PyG's example loop", "≥ 5×", "epoch", at_least("LightGCN", 5)),
    Target("exact neighbours, k=10, 63,001 × 768", "≤ 60 s, ≤ 1 GB above the features", "knn", _knn),
    Target("peak memory, one epoch at Electronics' shape", "≤ 4 GB", "memory", _memory),
    Target("cost per step from 0.1 M to 10 M edges", "exponent ≤ 1.1, ≤ 12 GB", "scale", _scale),
    Target("seconds to 99 % of the final quality, TikTok", "≤ half", "time-to-quality-tiktok", _quality),
    Target("seconds to 99 % of the final quality, Baby", "≤ half", "time-to-quality-baby", _quality),
    Target("GPU: AlignRec's step against naive, trainable features", "≥ 15×", "gpu", _gpu_step("trainable", 15)),
    Target("GPU: AlignRec's step against naive, frozen features", "≥ 12×", "gpu", _gpu_step("frozen", 12)),
    Target("GPU: AlignRec's step over the GPU's limit", "≤ 3×", "gpu", _gpu_limit),
    Target("GPU: epoch with one validation against naive", "≥ 25×", "gpu", _gpu_epoch),
    Target("GPU: top 50 over product and torch.topk", "≤ 1.1×", "gpu", _gpu_ranking),
    Target("GPU: step of each baseline against version 0.1.0", "≥ 3×", "gpu", _gpu_baselines),
)


def targets_table(results: Results) -> list[list[str]]:
    """What, target, measured, met; a part that was not run is said to be so."""
    table = []
    for target in TARGETS:
        found = target.read(results[target.result]) if target.result in results else None
        measured, met = found if found is not None else ("not measured", None)
        table.append([target.what, target.wanted, measured, {True: "yes", False: "no", None: ""}[met]])
    return table
