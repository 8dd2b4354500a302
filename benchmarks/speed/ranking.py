"""Full ranking and all metrics of all users, against the naive form and against the bare product and top-k.

python benchmarks ranking --dataset data/baby
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from harness.contestant import CLOCK, Setting, our_model
from harness.measure import Rates, report, results_folder, say
from harness.naive import NaiveEvaluator, naive_twin
from harness.program import run_program
from harness.shapes import SHAPES, make_dataset
from harness.step_cost import ranking
from speed.epoch import compare, graph_cache, row

from alignrec_geo.dataset.interactions import Split
from alignrec_geo.evaluation import Evaluator, Protocol


def main(
    dataset: Annotated[Path | None, typer.Option(help="Data set folder whose pairs are used; else drawn ones.")] = None,
    shape: Annotated[str, typer.Option(help="Shape of drawn pairs, width of the features.")] = "baby",
    larger: Annotated[str, typer.Option(help="Second shape, against the bare product and top-k only.")] = "sports",
    clock: Annotated[str, typer.Option(help="wall, or cpu for one thread on a machine that others use too.")] = "wall",
    rounds: Annotated[int, typer.Option(help="Timed rounds.")] = 7,
    seed: Annotated[int, typer.Option(help="Seed of drawn pairs and features.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="A tiny shape, two rounds; nothing is stored.")] = False,
    results: Annotated[Path | None, typer.Option(help="Folder for the result.")] = None,
) -> None:
    """Print one JSON object and store it as ranking.json."""
    if quick:
        shape, larger, rounds, dataset = "quick", "", 2, None
    data = make_dataset(SHAPES[shape], dataset, seed)
    options = ["--shape", shape, "--seed", str(seed)] + (["--dataset", str(dataset)] if dataset is not None else [])
    with graph_cache() as shared:
        env = {**shared, CLOCK: clock}
        difference = check(Setting(data, batch=1, steps=1))
        whole = ["evaluation-ours", "evaluation-naive"]
        rows = [row("forward, ranking and all metrics", whole, compare(whole, options, rounds, env))]
        rows += against_bare("", options, rounds, env)
        if larger:
            counts = f", {SHAPES[larger].users:,} × {SHAPES[larger].items:,}"
            rows += against_bare(counts, ["--shape", larger, "--seed", str(seed)], max(2, rounds // 2), env)
    rates, pairs = Rates(), data.interactions
    users = len(Evaluator(pairs, Split.VALIDATION, Protocol.MMREC).users)
    over_bare = 1 / rows[1]["ratio"]
    rows[1]["limit_ratio"] = over_bare
    rows[1]["gemm_limit_seconds"] = ranking(users, pairs.n_items, 64).limit(rates)
    content: dict[str, Any] = {
        "ratio": rows[0]["ratio"],
        "limit_ratio": over_bare,
        "rows": rows,
        "users": users,
        "clock": clock,
        "shape": {"name": data.name, **data.counts(), "dim": 64},
        "seed": seed,
        "largest_difference": difference,
        "rates": rates.as_json(),
    }
    report("ranking", content, results_folder(quick, results))


def against_bare(counts: str, options: list[str], rounds: int, env: Mapping[str, str]) -> list[dict[str, Any]]:
    """Ranking with and without metrics against the product and top-k, in blocks of 8 M scores and in small ones."""
    pairs = {
        f"ranking and all metrics against the bare product and top-k{counts}": ["ranking-ours", "ranking-bare"],
        f"50 best, seen ones left out, against the bare product and top-k{counts}": ["topk-ours", "ranking-bare"],
        f"50 best, against the bare product and top-k in blocks of 1 M scores{counts}": [
            "topk-ours",
            "ranking-bare-small",
        ],
    }
    times = compare(["ranking-ours", "topk-ours", "ranking-bare", "ranking-bare-small"], options, rounds, env)
    return [row(what, names, {name: times[name] for name in names}) for what, names in pairs.items()]


def check(setting: Setting) -> float:
    """Both evaluations give the same metrics, to 1e-4: scores at the border of a cutoff differ in the last digit."""
    model = our_model(setting.dataset, trainable=True)
    with torch.no_grad():
        model.item_embedding.mul_(10)  # spread the scores, so that few tie
    pairs = setting.dataset.interactions
    ours = Evaluator(pairs, Split.VALIDATION, Protocol.MMREC)(model.embeddings()).metrics
    theirs = NaiveEvaluator(pairs, Split.VALIDATION)(naive_twin(model))
    difference = max(abs(ours[name] - theirs[name]) for name in theirs)
    if difference > 1e-4 or ours.keys() != theirs.keys():
        raise AssertionError(f"metrics differ by {difference:.1e}")
    say(f"metrics agree to {difference:.1e}")
    return difference


if __name__ == "__main__":
    run_program(main)
