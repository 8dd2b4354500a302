"""What every Triton kernel needs of a GPU, by its compiler, and an estimate of its least time. Runs without a GPU.

    python benchmarks triton_resources

Registers, shared memory and spills are facts of the compiled kernels. Everything named "estimate" is arithmetic: bytes
that must move and operations that must be done, over the rates of the datasheets. Nothing is measured.
"""

from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from harness.measure import report, results_folder
from harness.program import run_program
from harness.shapes import SHAPES, Shape

from alignrec_geo.kernels.triton.compile import WIDTH, compile_all

NOTE = "estimates from datasheet rates, not measurements: max(bytes / bandwidth, flops / rate), everything else free"


class Gpu(NamedTuple):
    """Rates of a datasheet."""

    name: str
    bytes_per_second: float
    float32_per_second: float
    """Without tensor cores, which do not work in float32."""


class Work(NamedTuple):
    """What one call must do at least."""

    operation: str
    call: str
    bytes: int
    """Every input read once and every output written once; what is read again is taken to come from the cache."""
    flops: int


GPUS = (Gpu("A100 SXM 80GB", 2.039e12, 19.5e12), Gpu("H100 SXM", 3.35e12, 67e12))


def main(
    batch: Annotated[int, typer.Option(help="Triplets per step.")] = 2048,
    results: Annotated[Path | None, typer.Option(help="Folder for the result.")] = None,
) -> None:
    """Print one JSON object, and store it as triton-resources.json."""
    content = {
        "packages": {"triton": version("triton")},
        "width": WIDTH,
        "kernels": [each._asdict() for each in compile_all()],
        "estimate_note": NOTE,
        "estimate_rates": [each._asdict() for each in GPUS],
        "estimates": [estimate(work) for work in baby_work(SHAPES["baby"], batch)],
    }
    report("triton-resources", content, results_folder(quick=False, results=results))


def estimate(work: Work) -> dict[str, Any]:
    """The work, and its least time on every GPU."""
    bounds = {
        gpu.name: 1e6 * max(work.bytes / gpu.bytes_per_second, work.flops / gpu.float32_per_second) for gpu in GPUS
    }
    limits = {
        gpu.name: "bytes" if work.bytes / gpu.bytes_per_second > work.flops / gpu.float32_per_second else "flops"
        for gpu in GPUS
    }
    return {**work._asdict(), "estimated_least_microseconds": bounds, "estimated_limit": limits}


def baby_work(shape: Shape, batch: int) -> list[Work]:
    """Bytes and operations of each call at a shape, embeddings of 64 float32."""
    nodes, entries, row = shape.users + shape.items, 2 * shape.pairs, 4 * WIDTH
    gathered, groups = 3 * batch, 2
    return [
        Work(
            "spmm",
            f"one propagation over {nodes} nodes and {entries} stored entries, with base",
            8 * entries + 4 * (nodes + 1) + 4 * nodes + 3 * nodes * row,
            2 * entries * WIDTH + nodes * WIDTH,
        ),
        Work(
            "gather",
            f"gradients of {gathered} rows into a table of {nodes}, sorting not counted",
            gathered * (row + 16) + nodes * row + gathered * row,
            gathered * WIDTH,
        ),
        Work(
            "infonce",
            f"{groups} losses of {batch} pairs, both gradients: three products of batch x batch x {WIDTH} each",
            groups * batch * (4 * row + 4),
            groups * 3 * 2 * batch * batch * WIDTH,
        ),
        Work("triplet_loss", f"{batch} triplets", batch * (3 * row + 12), 10 * batch * WIDTH),
    ]


if __name__ == "__main__":
    run_program(main)
