"""The index of items against exact ranking: recall and time, on learned tables and on a million drawn items.

    python benchmarks ann --run runs/ml-1m-lightgcn --run runs/tiktok-lightgcn

Recall is that of the exact best 50 unseen items, of users who chose nothing. One thread; the index, exact ranking and
the bare product with top-k take turns. "by direction" is the same index with the lists that faiss makes for inner
products by default, spherical k-means, with as many probes as reach the same recall.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import faiss
import numpy as np
import torch
import typer
from harness.measure import Measured, interleave, report, results_folder, say
from harness.program import run_program
from torch import Tensor

from alignrec_geo.serving import load_top_items
from alignrec_geo.serving.index import IndexRanking, ItemIndex, build_index, chosen_ranking
from alignrec_geo.serving.index.build import MARGIN, QUERIES, TARGET, Trial, fewest_probes
from alignrec_geo.serving.index.clusters import PER_CENTRE, ROUNDS, Clusters, list_count
from alignrec_geo.serving.index.lists import write_lists
from alignrec_geo.serving.items_by_user import ItemsByUser
from alignrec_geo.serving.ranking import Ranking

K = 50
CLUSTER = 400
"""Drawn items of one cluster."""
SHARE = 0.001
"""Of the items, allowed by the filter that must be followed exactly."""


def main(
    run: Annotated[list[str] | None, typer.Option(help="Run folder with learned tables. Repeatable.")] = None,
    drawn: Annotated[str, typer.Option(help="Numbers of drawn items, comma-separated; 0 for none.")] = "200000,1000000",
    users: Annotated[int, typer.Option(help="Drawn users.")] = 20_000,
    dim: Annotated[int, typer.Option(help="Width of the drawn tables.")] = 64,
    rounds: Annotated[int, typer.Option(help="Timed rounds.")] = 200,
    clock: Annotated[str, typer.Option(help="wall, or cpu for a machine that others use too.")] = "cpu",
    seed: Annotated[int, typer.Option(help="Seed of what is drawn.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="Few items, few rounds; nothing is stored.")] = False,
    results: Annotated[Path | None, typer.Option(help="Folder for the result.")] = None,
) -> None:
    """Print one JSON object and store it as ann.json."""
    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)
    if quick:
        drawn, users, rounds = "2000", 200, 3
    rows = []
    for folder in run or []:
        top = load_top_items(folder)
        tables, trained = top.embeddings, np.flatnonzero(top.trained_users)
        rows.append(measure(tables.users, tables.items, trained, top.seen, rounds, clock, seed))
        rows[-1] = {"table": Path(folder).name, **rows[-1]}
        say(str(rows[-1]))
    for count in filter(None, map(int, drawn.split(","))):
        table, asking, seen = draw(count, users, dim, seed)
        rows.append(measure(asking, table, np.arange(users), seen, rounds, clock, seed))
        rows[-1] = {"table": f"{count:,} drawn", **rows[-1]}
        say(str(rows[-1]))
    report(
        "ann",
        {"k": K, "target": TARGET, "rows": rows, "clock": clock, "faiss": faiss.__version__},
        results_folder(quick, results),
    )


def draw(count: int, users: int, dim: int, seed: int) -> tuple[Tensor, Tensor, ItemsByUser]:
    """Items in clusters, of lengths that vary as popularity makes them vary; users near clusters; ten items seen."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((max(1, count // CLUSTER), dim)).astype(np.float32)
    items = centres[rng.integers(0, len(centres), count)]
    items += 0.5 * rng.standard_normal((count, dim), dtype=np.float32)
    items *= rng.lognormal(0, 0.3, (count, 1)).astype(np.float32)
    asking = centres[rng.integers(0, len(centres), users)] + 0.7 * rng.standard_normal((users, dim), dtype=np.float32)
    seen = ItemsByUser.of(np.repeat(np.arange(users), 10), rng.integers(0, count, 10 * users), users)
    return torch.from_numpy(items), torch.from_numpy(asking), seen


def measure(
    users: Tensor, items: Tensor, rows: np.ndarray, seen: ItemsByUser, rounds: int, clock: str, seed: int
) -> dict[str, Any]:
    """Build the index of one table, and compare it with exact ranking."""
    now = time.process_time if clock == "cpu" else time.perf_counter
    with tempfile.TemporaryDirectory() as folder:
        started = now()
        built = build_index(Path(folder) / "ours", items, users, rows, seen, seed=seed)
        seconds = now() - started
        rival, rival_recall = by_direction(Path(folder) / "rival", users, items, built, rows, seen, seed)
        ranked: dict[str, Ranking | IndexRanking] = {
            "index": IndexRanking(built.index, users, items),
            "by direction": IndexRanking(rival, users, items),
            "exact": Ranking(users, items),
        }
        asked = rows[np.linspace(0, len(rows) - 1, 997).astype(np.int64)]

        def timed(call: Callable[[int], object]) -> Callable[[], Measured]:
            turn = iter(range(1 << 30))

            def once() -> Measured:
                row = int(asked[next(turn) * 7 % len(asked)])
                started = now()
                call(row)
                return Measured(now() - started)

            return once

        def bare(row: int) -> object:
            return (users[row] @ items.T).topk(K)

        def through(way: Ranking | IndexRanking) -> Callable[[int], object]:
            return lambda row: way.best(np.array([row]), K, [seen.of_rows(np.array([row]))])

        # both indexes follow a pass over all items, which leaves nothing of theirs in the caches
        order = ("exact", "index", "bare", "by direction")
        calls = {name: timed(bare if name == "bare" else through(ranked[name])) for name in order}
        times = interleave(calls, rounds, warmup=3)
        block = rows[: min(2048, len(rows))]
        many = {}
        for name in ("index", "exact"):
            started = now()
            ranked[name].best(block, 20, [seen.of_rows(block)])
            many[name] = (now() - started) / len(block)
        return {
            "items": len(items),
            "width": items.shape[1],
            "lists": len(built.index.sizes),
            "probes": built.index.probes,
            "recall": built.recall,
            "recall_queries": built.queries,
            "build_seconds": seconds,
            "share_looked_through": built.index.share(users[torch.from_numpy(asked)].numpy()),
            "by_direction": {
                "probes": rival.probes,
                "recall": rival_recall,
                "share_looked_through": rival.share(users[torch.from_numpy(asked)].numpy()),
            },
            "seconds": {name: timing.as_json() for name, timing in times.items()},
            "seconds_per_user_of_many": many,
            "filtered": filtered(built.index, users, items, rows, seed),
        }


def by_direction(
    file: Path, users: Tensor, items: Tensor, built: Any, rows: np.ndarray, seen: ItemsByUser, seed: int
) -> tuple[ItemIndex, float]:
    """The same index with spherical k-means."""
    table = np.ascontiguousarray(items.numpy())
    means = faiss.Kmeans(
        table.shape[1],
        list_count(len(table)),
        niter=ROUNDS,
        seed=seed + 1,
        spherical=True,
        min_points_per_centroid=1,
        max_points_per_centroid=PER_CENTRE,
    )
    means.train(table)
    assert means.centroids is not None
    flat = faiss.IndexFlatIP(table.shape[1])
    flat.add(means.centroids)
    clusters = Clusters(means.centroids.copy(), flat.search(table, 1)[1][:, 0])
    write_lists(file, table, clusters)
    index = ItemIndex(file, clusters.centres, np.bincount(clusters.list_of, minlength=len(clusters.centres)), 1)
    order = np.random.default_rng(seed).permutation(rows)[: 2 * QUERIES]
    choosing, measuring = (Trial(index, users, items, half, seen) for half in (order[::2], order[1::2]))
    probes = fewest_probes(choosing, len(index.sizes), min(1.0, TARGET + MARGIN))
    recall = measuring.recall(probes)
    return index, recall


def filtered(index: ItemIndex, users: Tensor, items: Tensor, rows: np.ndarray, seed: int) -> dict[str, Any]:
    """A filter to few items, against an exact ranking of all items from which the others are taken out."""
    rng = np.random.default_rng(seed)
    allowed = np.sort(rng.choice(len(items), max(1, round(SHARE * len(items))), replace=False))
    asked = rows[:: max(1, len(rows) // 50)]
    got = chosen_ranking(index, users, items, allowed).best(asked, 10)
    products = users[torch.from_numpy(asked)] @ items[torch.from_numpy(allowed)].T
    value, column = products.topk(min(10, len(allowed)), dim=1)
    same = np.array_equal(got[1], allowed[column.numpy()])
    equal = bool(same and np.allclose(got[0], value.numpy(), rtol=1e-4, atol=1e-6))
    return {"allowed": len(allowed), "users": len(asked), "equal": equal}


if __name__ == "__main__":
    run_program(main)
