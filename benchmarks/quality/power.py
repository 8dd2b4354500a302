"""How many seeds does it take to see a difference of 1 %, 3 % or 5 % between two models?

    python benchmarks power tiktok-table ml-100k-table tiktok-seeds

reads the per-user metrics of stored comparisons (``benchmarks/results/NAME/per_user.parquet``). Two kinds of noise are
measured, both relative to the mean of the metric:

- between seeds: the standard deviation σ of a model's test metric, pooled over the trained models. Two models with S
  seeds each differ by a true share δ; a two-sided test at level .05 sees it with power .8 if
  S ≥ 2 (z₀.₉₇₅ + z₀.₈)² σ² / δ². With S seeds the order is wrong with probability Φ(−δ √(S/2) / σ).
- between users: the paired test of ``compare`` asks whether other users of the same kind would see the difference. Its
  standard error, √(Var(d_u) / U), does not go to zero with more seeds; the smallest share that it sees with power .8 is
  (z₀.₉₇₅ + z₀.₈) times that, the median over the trained models against the best one.
"""

import json
import math
from pathlib import Path
from statistics import NormalDist, mean, median
from typing import Annotated, Any

import numpy as np
import polars as pl
import typer
from harness.machine import RESULTS, machine
from harness.measure import command
from harness.program import run_program

from alignrec_geo.files import write_json
from alignrec_geo.reporting.rows import NON_LEARNED

DIFFERENCES = (0.01, 0.03, 0.05)
SEEDS = (1, 3, 5)
NORMAL = NormalDist()
FACTOR = NORMAL.inv_cdf(0.975) + NORMAL.inv_cdf(0.8)


def seeds_needed(deviation: float, difference: float) -> int:
    """Seeds per model that see a true relative ``difference`` with power .8; ``deviation`` between seeds, relative.

    Example:
        >>> seeds_needed(0.02, 0.05), seeds_needed(0.02, 0.01)
        (3, 63)
    """
    return max(2, math.ceil(2 * (FACTOR * deviation / difference) ** 2))


def wrong_order(deviation: float, difference: float, seeds: int) -> float:
    """Probability that the worse of two models has the higher mean over ``seeds`` seeds each."""
    return NORMAL.cdf(-difference * math.sqrt(seeds / 2) / deviation)


def measure(per_user: pl.DataFrame, metric: str) -> dict[str, Any]:
    """Both kinds of noise of one comparison."""
    trained = per_user.filter(~pl.col("model").is_in(NON_LEARNED))
    by_seed = trained.group_by("model", "seed").agg(pl.col(metric).mean()).sort("model", "seed")
    models = {str(name): rows[metric].to_numpy() for (name,), rows in by_seed.group_by("model", maintain_order=True)}
    relative = {name: float(values.std(ddof=1) / values.mean()) for name, values in models.items() if len(values) > 2}
    deviation = math.sqrt(mean(share**2 for share in relative.values()))
    means = {name: float(values.mean()) for name, values in models.items()}
    best = max(means, key=lambda name: means[name])
    users = trained.group_by("model", "user").agg(pl.col(metric).mean()).pivot("model", index="user", values=metric)
    seen = [
        FACTOR * float((users[best] - users[name]).to_numpy().std(ddof=1)) / math.sqrt(users.height) / means[best]
        for name in models
        if name != best
    ]
    return {
        "models": len(relative),
        "seeds": int(np.median([len(values) for values in models.values()])),
        "users": users.height,
        "deviation": deviation,
        "deviations": relative,
        "seeds_needed": {f"{share:.0%}": seeds_needed(deviation, share) for share in DIFFERENCES},
        "wrong_order": {
            f"{share:.0%}": {str(seeds): wrong_order(deviation, share, seeds) for seeds in SEEDS}
            for share in DIFFERENCES
        },
        "seen_by_users": median(seen),
    }


def main(
    names: Annotated[list[str], typer.Argument(help="Stored comparisons: benchmarks/results/NAME.")],
    metric: Annotated[str, typer.Option(help="Metric.")] = "recall@20",
    name: Annotated[str, typer.Option(help="Name of the result: benchmarks/results/NAME.json.")] = "power",
    results: Annotated[Path, typer.Option(help="Where stored results are.")] = RESULTS,
) -> None:
    """Measure the noise of stored comparisons and print one JSON object."""
    report = {
        "command": command(),
        "machine": machine(),
        "metric": metric,
        "power": 0.8,
        "level": 0.05,
        "comparisons": {each: measure(pl.read_parquet(results / each / "per_user.parquet"), metric) for each in names},
    }
    write_json(results / f"{name}.json", report)
    print(json.dumps(report))


if __name__ == "__main__":
    run_program(main)
