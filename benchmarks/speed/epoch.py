"""Training: the step, the epoch, its sampling, and LightGCN, against the naive forms, PyG and the machine's limit.

    python benchmarks epoch --dataset data/baby

Every contestant is a process of its own; they take turns. Before anything is timed, loss and gradients of both sides
are checked to agree on the same parameters and batch.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from harness.contestant import Setting, first_batches, our_model
from harness.contestants import start, take_turns
from harness.measure import Rates, Timing, report, results_folder, say
from harness.naive import check_same, naive_twin
from harness.program import run_program
from harness.shapes import FEATURE, SHAPES, make_dataset
from harness.step_cost import StepShape, alignrec_step, as_json, issue_limit, step_limit
from harness.workers import Worker

from alignrec_geo.dataset import Dataset
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.graph import to_hetero
from alignrec_geo.graph.hetero import SIMILAR

LIGHTGCN_NOTE = (
    "ours: AlignRec without features, 3 layers, uia_weight 0; LightGCN's forward and BPR, L2 on the final rows"
)
PARTS = ("step", "epoch", "sampling", "lightgcn")


def main(
    dataset: Annotated[Path | None, typer.Option(help="Data set folder whose pairs are used; else drawn ones.")] = None,
    shape: Annotated[str, typer.Option(help="Shape of drawn pairs, width of the features.")] = "baby",
    parts: Annotated[str, typer.Option(help="Any of step, epoch, sampling, lightgcn.")] = ",".join(PARTS),
    rounds: Annotated[int, typer.Option(help="Timed rounds.")] = 7,
    batch: Annotated[int, typer.Option(help="Triplets per step.")] = 2048,
    seed: Annotated[int, typer.Option(help="Seed of drawn pairs and features.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="A tiny shape, two rounds; nothing is stored.")] = False,
    results: Annotated[Path | None, typer.Option(help="Folder for the result.")] = None,
) -> None:
    """Print one JSON object with a row per comparison, and store it as epoch.json."""
    if quick:
        shape, rounds, batch, dataset = "quick", 2, 256, None
    chosen = parts.split(",")
    if unknown := set(chosen) - set(PARTS):
        raise typer.BadParameter(f"unknown part (got '{', '.join(unknown)}'); allowed: {', '.join(PARTS)}")
    data = make_dataset(SHAPES[shape], dataset, seed)
    options = ["--shape", shape, "--batch", str(batch), "--seed", str(seed)]
    options += ["--dataset", str(dataset)] if dataset is not None else []
    rates, rows = Rates(), []
    with graph_cache() as env:
        difference = check(Setting(data, batch, steps=1))
        if "step" in chosen:
            sizes = step_shape(data, SHAPES[shape].width, batch)
            for kind, count in (("trainable", 10), ("frozen", 20)):
                names = [f"step-ours-{kind}", f"step-naive-{kind}"]
                times = compare(names, [*options, "--steps", str(count)], rounds, env)
                rows.append(step_row(kind, times, replace(sizes, trainable=kind == "trainable"), rates))
        if "epoch" in chosen:
            for kind in ("trainable", "frozen"):
                names = [f"epoch-ours-{kind}", f"epoch-naive-{kind}"]
                rows.append(row(f"epoch with validation, {kind} features", names, compare(names, options, 3, env)))
        if "sampling" in chosen:
            names = ["sampling-ours", "sampling-naive", "epoch-ours-trainable"]
            rows.append(row("sampling of an epoch", names[:2], compare(names, options, rounds, env)))
            timed = rows[-1]["seconds"]
            rows[-1]["share_of_epoch"] = timed["sampling-ours"]["median"] / timed["epoch-ours-trainable"]["median"]
        if "lightgcn" in chosen:
            names = ["lightgcn-ours", "lightgcn-pyg"]
            rows.append(row("LightGCN epoch against PyG", names, compare(names, options, 3, env)))
            rows[-1]["note"] = LIGHTGCN_NOTE
    content: dict[str, Any] = {
        "ratio": rows[0]["ratio"],
        "limit_ratio": rows[0].get("limit_ratio"),
        "rows": rows,
        "shape": {"name": data.name, **data.counts(), "width": SHAPES[shape].width, "batch": batch, "dim": 64},
        "seed": seed,
        "largest_relative_difference": difference,
        "rates": rates.as_json(),
    }
    report("epoch", content, results_folder(quick, results))


def check(setting: Setting) -> float:
    """Loss terms and gradients agree before anything is timed, with trainable and with frozen features."""
    batch = first_batches(setting)[0]
    differences = []
    for trainable in (True, False):
        model = our_model(setting.dataset, trainable)
        differences.append(check_same(model, naive_twin(model), batch))
    say(f"loss and gradients agree to {max(differences):.1e}")
    return max(differences)


def compare(
    names: list[str], options: list[str], rounds: int, env: Mapping[str, str]
) -> dict[str, tuple[Timing, Worker]]:
    """Let contestants take turns."""
    say(f"{' against '.join(names)}, {rounds} rounds")
    workers = start(names, options, env)
    times = take_turns(workers, rounds)
    return {name: (times[name], workers[name]) for name in names}


def row(what: str, names: list[str], times: Mapping[str, tuple[Timing, Worker]]) -> dict[str, Any]:
    """One comparison: the first name is ours, the ratio says how many times slower the second is."""
    last = times[names[1]][1].answers[-1]
    content: dict[str, Any] = {
        "what": what,
        "ratio": times[names[1]][0].median / times[names[0]][0].median,
        "seconds": {name: timing.as_json() for name, (timing, _) in times.items()},
        "peak_memory_gb": {name: worker.answers[-1]["peak_memory_gb"] for name, (_, worker) in times.items()},
    }
    if last.get("steps_measured", 0) < last.get("steps", 0):
        content["extrapolated"] = f"{names[1]} from {last['steps_measured']} of {last['steps']} steps"
    return content


def step_row(kind: str, times: Mapping[str, tuple[Timing, Worker]], sizes: StepShape, rates: Rates) -> dict[str, Any]:
    """A step against the naive one and against the machine."""
    costs = alignrec_step(sizes)
    ours = times[f"step-ours-{kind}"][0].median
    content = row(f"training step, {kind} features", list(times), times)
    limit, issue = step_limit(costs, rates), issue_limit(costs, rates)
    return {
        **content,
        "limit_seconds": limit,
        "limit_ratio": ours / limit,
        **({"issue_limit_seconds": issue, "issue_limit_ratio": ours / issue} if sizes.trainable else {}),
        "gflop": sum(cost.flops for cost in costs) / 1e9,
        "gb": sum(cost.bytes for cost in costs) / 1e9,
        "operations": as_json(costs, rates),
    }


def step_shape(dataset: Dataset, width: int, batch: int) -> StepShape:
    """The sizes that a step's cost follows from."""
    pairs = dataset.interactions
    train, similar = len(pairs.of(Split.TRAIN)), to_hetero(dataset, [FEATURE])[SIMILAR].edge_index.shape[1]
    return StepShape(pairs.n_users, pairs.n_items, train, similar, width, batch)


@contextmanager
def graph_cache() -> Iterator[dict[str, str]]:
    """Keep item graphs in a temporary folder, so that every contestant has the same one and nothing stays behind."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ALIGNREC_CACHE"] = folder
        yield dict(os.environ)


if __name__ == "__main__":
    run_program(main)
