"""Each operation of ``alignrec_geo.kernels`` against its naive form and against its own limit.

    python benchmarks kernels --dataset data/baby

Forward and backward together, in one process with the training loop's allocator setting, which helps the naive forms
more. The limit is ``max(FLOPs / GEMM rate, bytes / copy rate)`` with both rates measured in the same run.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import torch.nn.functional as F
import typer
from harness import step_cost
from harness.measure import Rates, interleave, report, results_folder, say
from harness.naive import naive_knn
from harness.shapes import FEATURE, SHAPES, make_dataset
from harness.step_cost import Cost
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
Results = list[Tensor]


@dataclass(frozen=True)
class Contest:
    """One operation.

    Args:
        ours: the package's.
        naive: the plain form.
        cost: what it needs at least.
        what: its sizes and the naive form, in words.
        oracle: the naive form in double, where float32 is too coarse to compare with.
    """

    ours: Callable[[], Results]
    naive: Callable[[], Results]
    cost: Cost
    what: str
    oracle: Callable[[], Results] | None = None


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
            difference = largest_difference(contest)
            times = interleave({"ours": contest.ours, "naive": contest.naive}, rounds)
            limit = contest.cost.limit(rates)
            rows.append(
                {
                    "what": name,
                    "detail": contest.what,
                    "ratio": times["naive"].median / times["ours"].median,
                    "limit_ratio": times["ours"].median / limit,
                    "limit_seconds": limit,
                    "gflop": contest.cost.flops / 1e9,
                    "gb": contest.cost.bytes / 1e9,
                    "backend": choose(name, device).runs if name in TABLE else "torch",
                    "seconds": {key: timing.as_json() for key, timing in times.items()},
                    "largest_relative_difference": difference,
                }
            )
            say(f"{name}: {rows[-1]['ratio']:.1f} x naive, {rows[-1]['limit_ratio']:.1f} x limit")
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
            _backward(lambda x: mean_propagation(full, x, LAYERS), nodes),
            _backward(naive_propagation, nodes),
            step_cost.propagation(users, items, edges, DIM, LAYERS),
            f"mean of {LAYERS} layers on {users + items:,} nodes; naive: COO torch.sparse.mm, stack, mean",
        ),
        "spmm (items to users)": Contest(
            _backward(lambda x: spmm(to_users, x), item_table),
            _backward(lambda x: torch.sparse.mm(coo_block, x), item_table),
            step_cost.product("items to users", edges, users, items, DIM, times=2),
            "one product with the user-item block; naive: COO torch.sparse.mm",
        ),
        "gather": Contest(
            _backward(lambda x: gather_rows(x, rows), nodes),
            _backward(lambda x: x[rows], nodes),
            step_cost.gathered_rows(len(rows), users + items, DIM),
            f"{len(rows):,} rows of {users + items:,}; naive: indexing",
        ),
        "infonce": Contest(
            _backward(lambda a, b: infonce(a, b, TEMPERATURE).sum(), q, k),
            _backward(naive_infonce, q, k),
            step_cost.infonce(batch, DIM, groups=2),
            f"users and items, batch {batch}; naive: whole batch×batch matrices",
        ),
        "triplet_loss": Contest(
            _backward(lambda a, b, c: sum(triplet_loss(a, b, c, batch)), *triplet),
            _backward(lambda a, b, c: sum(reference_triplet_loss(a, b, c, batch)), *triplet),
            step_cost.triplet_loss(batch, DIM),
            "BPR, UIA and L2; naive: term by term",
        ),
        "similarity_gap": Contest(
            _backward(lambda h: similarity_gap(h, anchor), hidden),
            _backward(lambda h: reference_similarity_gap(h, anchor), hidden),
            step_cost.similarity_gap(batch, DIM, anchor.shape[1]),
            f"batch {batch}, {anchor.shape[1]}-d anchors; naive: two batch×batch matrices",
            _backward(lambda h: reference_similarity_gap(h, anchor.double()), hidden.double()),
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


def largest_difference(contest: Contest) -> float:
    """Check that both give the same values and gradients.

    Raises:
        AssertionError: they differ by more than 1e-4 relative.
    """
    worst = 0.0
    for ours, theirs in zip(contest.ours(), (contest.oracle or contest.naive)(), strict=True):
        finite = theirs.isfinite()
        if not torch.equal(finite, ours.isfinite()):
            raise AssertionError(f"{contest.cost.name}: other values are infinite")
        worst = max(worst, float((ours[finite] - theirs[finite]).norm() / theirs[finite].norm().clamp(min=1e-30)))
    if worst > 1e-4:
        raise AssertionError(f"{contest.cost.name} differs from the naive form by {worst:.1e} relative")
    return worst


def _backward(function: Callable[..., Any], *tensors: Tensor) -> Callable[[], Results]:
    """A call that returns the result and the gradients; a table's result is weighed with fixed numbers."""
    leaves = [tensor.clone().requires_grad_() for tensor in tensors]
    weight = torch.ones_like(function(*leaves))

    def run() -> Results:
        result = function(*leaves)
        return [result.detach(), *torch.autograd.grad(result, leaves, weight)]

    return run


def _coo(matrix: CSR) -> Tensor:
    (column, row), value = matrix.edges()
    return torch.sparse_coo_tensor(torch.stack([row, column]), value, matrix.shape, check_invariants=False).coalesce()


if __name__ == "__main__":
    typer.run(main)
