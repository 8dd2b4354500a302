"""Each operation of ``alignrec_geo.kernels`` against its naive form and against its own limit.

    python benchmarks kernels --dataset data/baby

Forward and backward together, in one process with the training loop's allocator setting, which helps the naive forms
more. The limit is ``max(FLOPs / GEMM rate, bytes / copy rate)`` with both rates measured in the same run.
"""

from pathlib import Path
from typing import Annotated, Any

import torch
import torch.nn.functional as F
import typer
from harness import step_cost
from harness.contest import Contest, Results, backward, measured
from harness.measure import Rates, report, results_folder
from harness.naive import naive_knn
from harness.program import run_program
from harness.shapes import FEATURE, SHAPES, make_dataset
from torch import Tensor

from alignrec_geo.dataset import Dataset
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.graph.adjacency import bipartite_adjacency, symmetric_adjacency
from alignrec_geo.kernels.allocator import keep_freed_memory
from alignrec_geo.kernels.backends import TABLE, choose
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.excluded import ExcludedPairs
from alignrec_geo.kernels.gather import gather_rows
from alignrec_geo.kernels.infonce import infonce
from alignrec_geo.kernels.knn import cosine_knn
from alignrec_geo.kernels.similarity_gap import reference_similarity_gap, similarity_gap
from alignrec_geo.kernels.spmm import mean_propagation, spmm
from alignrec_geo.kernels.topk import blocked_top_k
from alignrec_geo.kernels.triplet_loss import reference_triplet_loss, triplet_loss

DIM, LAYERS, TEMPERATURE, LARGEST = 64, 2, 0.2, 50


def main(
    dataset: Annotated[Path | None, typer.Option(help="Data set folder whose pairs are used; else drawn ones.")] = None,
    shape: Annotated[str, typer.Option(help="Shape of drawn pairs, width of the features.")] = "baby",
    only: Annotated[str | None, typer.Option(help="Operations, comma-separated.")] = None,
    rounds: Annotated[int, typer.Option(help="Timed rounds.")] = 15,
    batch: Annotated[int, typer.Option(help="Rows of a batch.")] = 2048,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    seed: Annotated[int, typer.Option(help="Seed of drawn pairs, features and tables.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="A tiny shape, two rounds; nothing is stored.")] = False,
    results: Annotated[Path | None, typer.Option(help="Folder for the result.")] = None,
) -> None:
    """Print one JSON object with a row per operation, and store it as kernels.json (kernels-cuda.json on a GPU)."""
    if quick:
        shape, rounds, batch, dataset = "quick", 2, 256, None
    keep_freed_memory()
    data, rates, rows = make_dataset(SHAPES[shape], dataset, seed), Rates(device), []
    for name, contest in contests(data, batch, device, seed).items():
        if only is None or name in only.split(","):
            rows.append(measured(name, contest, rates, rounds, choose(name, device).runs if name in TABLE else "torch"))
    content: dict[str, Any] = {
        "ratio": min(row["ratio"] for row in rows),
        "limit_ratio": max(row["limit_ratio"] for row in rows),
        "rows": rows,
        "device": device if device == "cpu" else torch.cuda.get_device_name(),
        "shape": {"name": data.name, **data.counts(), "width": SHAPES[shape].width, "batch": batch, "dim": DIM},
        "seed": seed,
        "rates": rates.as_json(),
    }
    report("kernels" if device == "cpu" else f"kernels-{device}", content, results_folder(quick, results))


def contests(data: Dataset, batch: int, device: str, seed: int) -> dict[str, Contest]:
    """Every operation at the sizes of a data set."""
    pairs = data.interactions
    train = pairs.of(Split.TRAIN)
    users, items, edges = pairs.n_users, pairs.n_items, len(train)
    edge_index = torch.stack([torch.from_numpy(train.user), torch.from_numpy(train.item)])
    generator = torch.Generator().manual_seed(seed)

    def table(rows: int, columns: int = DIM) -> Tensor:
        return torch.randn(rows, columns, generator=generator).to(device)

    full = symmetric_adjacency(edge_index, users, items).map(lambda t: t.to(device))
    to_users = bipartite_adjacency(edge_index, users, items).map(lambda t: t.to(device))
    nodes, item_table, user_table = table(users + items), table(items), table(users)
    x = torch.from_numpy(data.features(FEATURE).matrix).to(device)
    rows = torch.randint(users + items, (3 * batch,), generator=generator).to(device)
    q, k, hidden = table(2 * batch).view(2, batch, DIM), table(2 * batch).view(2, batch, DIM), table(batch)
    triplet = [table(batch) for _ in range(3)]
    anchor = F.normalize(x[torch.randint(items, (batch,), generator=generator).to(device)], dim=1)
    everyone = torch.arange(users, device=device)
    coo, coo_block = _coo(full), _coo(to_users)
    own = torch.arange(batch, device=device)
    excluded = ExcludedPairs.of(to_users, everyone)  # made once, as an evaluator does
    seen = tuple(edge_index.to(device))

    def naive_infonce(query: Tensor, key: Tensor) -> Tensor:
        total = query.new_zeros(())
        for a, b in zip(query, key, strict=True):
            total = total + F.cross_entropy(F.normalize(a, dim=1) @ F.normalize(b, dim=1).T / TEMPERATURE, own)
        return total

    def naive_propagation(x: Tensor) -> Tensor:
        layers = [x]
        for _ in range(LAYERS):
            layers.append(torch.sparse.mm(coo, layers[-1]))
        return torch.stack(layers, dim=1).mean(dim=1)

    def our_ranking() -> Results:
        found = blocked_top_k(user_table, item_table, everyone, LARGEST, excluded)
        return [torch.cat([scores for _, scores, _ in found])]

    def naive_ranking() -> Results:
        scores = user_table @ item_table.T
        scores[seen] = -torch.inf
        return [scores.topk(min(LARGEST, items), dim=1).values]

    return {
        "spmm": Contest(
            backward(lambda x: mean_propagation(full, x, LAYERS), nodes),
            backward(naive_propagation, nodes),
            step_cost.propagation(users, items, edges, DIM, LAYERS),
            f"mean of {LAYERS} layers on {users + items:,} nodes; naive: COO torch.sparse.mm, stack, mean",
        ),
        "spmm (items to users)": Contest(
            backward(lambda x: spmm(to_users, x), item_table),
            backward(lambda x: torch.sparse.mm(coo_block, x), item_table),
            step_cost.product("items to users", edges, users, items, DIM, times=2),
            "one product with the user-item block; naive: COO torch.sparse.mm",
        ),
        "gather": Contest(
            backward(lambda x: gather_rows(x, rows), nodes),
            backward(lambda x: x[rows], nodes),
            step_cost.gathered_rows(len(rows), users + items, DIM),
            f"{len(rows):,} rows of {users + items:,}; naive: indexing",
        ),
        "infonce": Contest(
            backward(lambda a, b: infonce(a, b, TEMPERATURE).sum(), q, k),
            backward(naive_infonce, q, k),
            step_cost.infonce(batch, DIM, groups=2),
            f"users and items, batch {batch}; naive: whole batch×batch matrices",
        ),
        "triplet_loss": Contest(
            backward(lambda a, b, c: sum(triplet_loss(a, b, c, batch)), *triplet),
            backward(lambda a, b, c: sum(reference_triplet_loss(a, b, c, batch)), *triplet),
            step_cost.triplet_loss(batch, DIM),
            "BPR, UIA and L2; naive: term by term",
        ),
        "similarity_gap": Contest(
            backward(lambda h: similarity_gap(h, anchor), hidden),
            backward(lambda h: reference_similarity_gap(h, anchor), hidden),
            step_cost.similarity_gap(batch, DIM, anchor.shape[1]),
            f"batch {batch}, {anchor.shape[1]}-d anchors; naive: two batch×batch matrices",
            backward(lambda h: reference_similarity_gap(h, anchor.double()), hidden.double()),
        ),
        "topk": Contest(
            our_ranking,
            naive_ranking,
            step_cost.ranking(users, items, DIM, LARGEST),
            f"{LARGEST} best of {items:,} items for {users:,} users, seen ones out; naive: one users×items matrix",
        ),
        "knn": Contest(
            lambda: [cosine_knn(x, 10)[0]],
            lambda: [naive_knn(x, 10)[0]],
            step_cost.nearest(items, x.shape[1]),
            f"10 neighbours of {items:,} items, {x.shape[1]}-d; naive: one items×items matrix",
        ),
    }


def _coo(matrix: CSR) -> Tensor:
    (column, row), value = matrix.edges()
    return torch.sparse_coo_tensor(torch.stack([row, column]), value, matrix.shape, check_invariants=False).coalesce()


if __name__ == "__main__":
    run_program(main)
