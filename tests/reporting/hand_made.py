"""A comparison made by hand: its runs, models and tests; and where stored ones lie."""

from pathlib import Path

STORED = Path(__file__).parents[2] / "benchmarks" / "results"
"""Comparisons that were really run."""

NASTY = "<script>alert(1)</script>"


def run(seed, recall, error=None):
    if error is not None:
        return {"seed": seed, "error": error, "groups": None, "metrics": None}
    metrics = {"recall@10": recall / 2, "recall@20": recall, "ndcg@10": recall / 4, "ndcg@20": recall / 3}
    groups = {"users": {"1-2": {"recall@20": recall}}, "items": {"head": {"recall@20": recall}, "tail": {}}}
    costs = {"seconds_per_epoch": 1.5, "seconds_to_best": 20.0, "peak_memory_mb": 800.0, "parameters": 1_000_000}
    return {"seed": seed, "error": None, "metrics": metrics, "groups": groups, **costs}


def model(name, *runs, trials=()):
    own = {"parameters": {"dim": 64}, "training": {"lr": 0.001}, "features": [], "class": name, "chosen": {"dim": 64}}
    return {"name": name, "runs": list(runs), "trials": list(trials), **own}


def compared(name, difference, p):
    bounds = {"low": difference - 0.01, "high": difference + 0.01}
    return {"baseline": name, "metric": "recall@20", "difference": difference, "p": p, "p_holm": p, "users": 9} | bounds
