"""Peak memory of one training epoch of every model at the shape of Amazon Sports, by the train verb.

    python benchmarks model_memory

Every model is a fresh process: it opens the data set folder, builds its graphs, trains one epoch with its defaults,
validates and tests.
"""

import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import typer
from harness.measure import report, results_folder, say
from harness.program import run_program
from harness.shapes import FEATURE, SHAPES
from speed.memory import train, write_dataset

from alignrec_geo.models import MODELS, find_model


def main(
    models: Annotated[str, typer.Option(help="Comma-separated, or 'all'.")] = "all",
    shape: Annotated[str, typer.Option(help="Shape of drawn pairs.")] = "sports",
    seed: Annotated[int, typer.Option(help="Seed of pairs and features.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="A tiny shape; nothing is stored.")] = False,
    results: Annotated[Path | None, typer.Option(help="Folder for the result.")] = None,
) -> None:
    """Print one JSON object and store it as model-memory.json."""
    shape = "quick" if quick else shape
    names = list(MODELS) if models == "all" else models.split(",")
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        # in a process of its own: what this one holds when it starts the verb would be counted
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            pool.submit(write_dataset, Path(folder) / "data", shape, seed).result()
        for name in names:
            features = FEATURE if find_model(name).uses_features else "none"
            options = ["--model", name, "--features", features, "--set", "epochs=1", "--overwrite"]
            _, peak = train(Path(folder), options)
            rows.append({"model": name, "peak_memory_gb": round(peak, 3)})
            say(f"{name}: {peak:.2f} GB")
    pairs = SHAPES[shape]
    content: dict[str, Any] = {
        "ratio": None,
        "limit_ratio": None,
        "rows": rows,
        "largest_gb": max(row["peak_memory_gb"] for row in rows),
        "shape": {"users": pairs.users, "items": pairs.items, "pairs": pairs.pairs, "width": pairs.width},
        "seed": seed,
    }
    report("model-memory", content, results_folder(quick, results))


if __name__ == "__main__":
    run_program(main)
