"""Operations on a graph with many edges per node, on a CPU: each against its plain form and against its own limit.

    python benchmarks dense_graph

Forward and backward together. Products of wide rows go in tiles of columns; dot products at the edges are written into
the pattern's own scratch; sums over edges that lie in order need no scattering. The limit is what has to be read and
written over the machine's copy rate.
"""

from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from harness import step_cost
from harness.contest import Contest, backward, measured
from harness.measure import Rates, report, results_folder
from harness.program import run_program
from harness.shapes import SHAPES, make_interactions
from harness.step_cost import FLOAT, INDEX, Cost
from torch import Tensor

from alignrec_geo.dataset import Dataset
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.graph.adjacency import symmetric_adjacency
from alignrec_geo.kernels.allocator import keep_freed_memory
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.edge_pattern import EdgePattern
from alignrec_geo.kernels.edges import edge_dot, gather_columns, reference_edge_dot, row_sum
from alignrec_geo.kernels.spmm import in_tiles, spmm

DIM = 64


def main(
    dataset: Annotated[Path | None, typer.Option(help="Data set folder whose pairs are used; else drawn ones.")] = None,
    shape: Annotated[str, typer.Option(help="Shape of drawn pairs.")] = "ml-1m",
    width: Annotated[int, typer.Option(help="Columns of the wide rows.")] = 384,
    rounds: Annotated[int, typer.Option(help="Timed rounds.")] = 15,
    quick: Annotated[bool, typer.Option("--quick", help="A tiny shape, two rounds; nothing is stored.")] = False,
    results: Annotated[Path | None, typer.Option(help="Folder for the result.")] = None,
) -> None:
    """Print one JSON object with a row per operation, and store it as dense-graph.json."""
    if quick:
        shape, rounds, dataset = "quick", 2, None
    keep_freed_memory()
    pairs = make_interactions(SHAPES[shape]) if dataset is None else Dataset.open(dataset).interactions
    train, rates = pairs.of(Split.TRAIN), Rates("cpu")
    user, item = torch.from_numpy(train.user), torch.from_numpy(train.item)
    pattern = EdgePattern.from_coo(user, item, (pairs.n_users, pairs.n_items))
    full = symmetric_adjacency(torch.stack([user, item]), pairs.n_users, pairs.n_items)
    sizes = {"users": pairs.n_users, "items": pairs.n_items, "train": len(train)}
    rows = [
        measured(name, contest, rates, rounds)
        for name, contest in {"spmm (wide)": wide(full, width), **at_edges(pattern)}.items()
    ]
    content: dict[str, Any] = {
        "ratio": min(row["ratio"] for row in rows),
        "limit_ratio": max(row["limit_ratio"] for row in rows),
        "rows": rows,
        "device": "cpu",
        "shape": {"name": shape if dataset is None else dataset.name, **sizes, "width": width, "dim": DIM},
        "rates": rates.as_json(),
    }
    report("dense-graph", content, results_folder(quick, results))


def wide(full: CSR, width: int) -> Contest:
    """One propagation of wide rows."""
    nodes = full.shape[0]
    tiles = "in tiles" if in_tiles(full.matrix, width) else "in one piece, as the graph has few edges"
    x = torch.randn(nodes, width)
    return Contest(
        backward(lambda x: spmm(full, x), x),
        backward(lambda x: _Whole.apply(full, x), x),  # type: ignore[no-untyped-call]
        step_cost.product("wide", full.nnz, nodes, nodes, width, times=2),
        f"{width} columns, {tiles}; naive: in one piece",
    )


def at_edges(pattern: EdgePattern) -> dict[str, Contest]:
    """What attention over edges is made of."""
    edges, (rows, cols) = pattern.nnz, pattern.shape
    dot = Cost("dot", (), (4 * (rows + cols) * DIM + edges) * FLOAT + edges * (FLOAT + INDEX))
    values = Cost("values", (), 2 * edges * FLOAT + edges * INDEX + 2 * (rows + cols) * FLOAT)
    a, b, of_edges, of_columns = torch.randn(rows, DIM), torch.randn(cols, DIM), torch.rand(edges), torch.rand(cols)
    return {
        "edge_dot": Contest(
            backward(lambda a, b: edge_dot(pattern, a, b), a, b),
            backward(lambda a, b: reference_edge_dot(pattern, a, b), a, b),
            dot,
            f"{DIM} columns; naive: both ends of all edges gathered",
        ),
        "row_sum": Contest(
            backward(lambda value: row_sum(pattern, value), of_edges),
            backward(lambda value: value.new_zeros(rows).index_add(0, pattern.row, value), of_edges),
            values,
            "edges in order of their rows; naive: index_add",
        ),
        "gather_columns": Contest(
            backward(lambda value: gather_columns(pattern, value), of_columns),
            backward(lambda value: value[pattern.col], of_columns),
            values,
            "a value of each column; naive: indexing",
        ),
    }


class _Whole(torch.autograd.Function):
    """The product and its gradient, all columns at once."""

    @staticmethod
    def forward(ctx: Any, matrix: CSR, x: Tensor) -> Tensor:
        ctx.matrix = matrix
        return torch.mm(matrix.matrix, x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor]:
        return None, torch.mm(ctx.matrix.transposed, grad)


if __name__ == "__main__":
    run_program(main)
