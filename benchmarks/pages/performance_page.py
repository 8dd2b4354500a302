"""Write ``docs/performance.md`` and its figures from the stored results.

    python benchmarks performance_page

Nothing on the page is typed by hand but ``benchmarks/pages/performance_notes.md``, which is put in at its end.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from harness.machine import RESULTS
from harness.program import run_program
from pages.figures import write_figures
from pages.gpu_section import gpu_section
from pages.headlines import headline_rows
from pages.markdown import Result, folded, origin, read, seconds, spread, table, times
from pages.targets import targets_table

from alignrec_geo.files import atomic_path

ROOT = Path(__file__).parents[2]
NOTES = Path(__file__).with_name("performance_notes.md")

INTRODUCTION = """# Performance

How long training and ranking take, against the same formulas written plainly (*naive*), PyG, and other libraries, at
the shape of Amazon Baby: 19,445 users, 7,050 items, 118,551 training pairs, 768-d features. Where a factor is below 1,
the other one is faster.
"""
METHOD = """## How it is measured

Medians of interleaved runs; a ratio is between contestants that took turns in one run. *Naive* is the same mathematics
as one would first write it (`benchmarks/harness/naive.py`); before anything is timed, loss, gradients, metrics and
neighbours of both are checked to agree. *Limit* is what the machine needs at least: per operation the larger of its
FLOPs over the GEMM rate and its bytes over the copy rate, rates measured in the same run at the same shapes, every
operand counted once (`benchmarks/harness/step_cost.py`). In brackets: quartiles. This page is made by
`python benchmarks performance_page` from `benchmarks/results/*.json`;
[Reproducing the results](reproducing.md#speed-and-memory) has every command.
"""


def main(
    results: Annotated[Path, typer.Option(help="Folder of results.")] = RESULTS,
    docs: Annotated[Path, typer.Option(help="Where performance.md and images/ go.")] = ROOT / "docs",
    notes: Annotated[Path, typer.Option(help="Text for the end of the page, if there is any.")] = NOTES,
) -> None:
    """Write the page."""
    found = read(results)
    write_figures(found, docs / "images", "performance")
    with atomic_path(docs / "performance.md") as staging:
        staging.write_text(render(found, notes.read_text(encoding="utf-8") if notes.exists() else ""), encoding="utf-8")
    print(docs / "performance.md")


def render(results: Mapping[str, Result], notes: str) -> str:
    """Return the page."""
    parts = [INTRODUCTION]
    short = headline_rows(results)
    if short:
        parts += ["![Times as fast as the other; grey-blue bars: the other is faster](images/speed.svg)\n"]
        parts += [table(["what", "where", "ours", "against", "theirs", "factor"], short)]
    parts.append(METHOD)
    for name, section in SECTIONS.items():
        if name in results:
            parts += [section(results[name]), origin(results[name])]
    parts += quality_section({name: found for name, found in results.items() if name.startswith("time-to-quality")})
    head, targets = ["what", "target", "measured"], targets_table(results)
    for title, met in (("Targets that were met", True), ("Targets that were not met", False)):
        rows = [line[:3] for line in targets if (line[3] == "yes") is met]
        parts += [f"## {title}\n", table(head, rows)] if rows else []
    if notes:
        parts.append(notes)
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def comparisons(rows: Sequence[Result]) -> str:
    """One line per comparison of two contestants: the first is ours."""
    lines = []
    for row in rows:
        if row.get("ratio") is None:
            lines.append([row["what"], "", f"not run: {row.get('error', '')}", "", ""])
            continue
        ours, other = list(row["seconds"].values())[:2]
        notes = [row[key] for key in ("note", "extrapolated") if key in row]
        memory = " / ".join(f"{gb:.2f}" for gb in list(row.get("peak_memory_gb", {}).values())[:2])
        what = row["what"] + (f" ({'; '.join(notes)})" if notes else "")
        lines.append([what, spread(ours), spread(other), times(row["ratio"]), memory])
    return table(["what", "ours", "other", "ratio", "peak GB"], lines)


def epoch_section(result: Result) -> str:
    """Steps, epochs, sampling, LightGCN."""
    parts = [f"## Training\n\n{shape(result)}\n", comparisons(result["rows"])]
    for row in result["rows"]:
        if "operations" in row:
            lines = [
                [name, f"{cost['gflop']:.2f}", f"{1e3 * cost['gb']:.1f}", f"{cost['limit_ms']:.2f}"]
                for name, cost in row["operations"].items()
            ]
            total = ["**all**", f"{row['gflop']:.2f}", f"{1e3 * row['gb']:.1f}", f"{1e3 * row['limit_seconds']:.2f}"]
            measured = f"{row['what']}: {row['limit_ratio']:.2f}× its limit"
            counted = table(["operation, forward and backward", "GFLOP", "MB", "limit, ms"], [*lines, total])
            parts.append(folded(f"{measured[0].upper()}{measured[1:]}: what is counted", counted))
    parts.append(rates(result))
    return "\n".join(parts)


def kernels_section(result: Result) -> str:
    """Every operation."""
    title = f"## Operations on a {result['device'].upper()}\n\n{shape(result)}\n"
    figure = "![Time of every operation over the machine's limit](images/kernels.svg)\n"
    return "\n".join([title, figure, operations(result)])


def dense_section(result: Result) -> str:
    """Operations whose form depends on how many edges a node has."""
    return f"## A graph with many edges per node\n\n{shape(result)}\n\n{operations(result)}"


def operations(result: Result) -> str:
    """A row per operation, and the machine's rates."""
    head = ["operation", "what", "ours", "naive", "ratio", "over limit", "backend"]
    lines = [
        [
            f"`{row['what']}`",
            row["detail"],
            seconds(row["seconds"]["ours"]["median"]),
            seconds(row["seconds"]["naive"]["median"]),
            times(row["ratio"]),
            times(row["limit_ratio"]),
            row["backend"],
        ]
        for row in result["rows"]
    ]
    return "\n".join([table(head, lines), rates(result)])


def ranking_section(result: Result) -> str:
    """Ranking and metrics."""
    clock = " Seconds are the processor's: others used the machine meanwhile." if result.get("clock") == "cpu" else ""
    return f"## Ranking\n\n{shape(result)} {result['users']:,} users ranked.{clock}\n\n{comparisons(result['rows'])}"


def peers_section(result: Result) -> str:
    """Other libraries: their seconds per training epoch."""
    failed = [f"Not installed: {name} ({reason}).\n" for name, reason in result["failed_to_install"].items()]
    text = "Seconds per training epoch, same pairs, batch and dimension, in an environment of their own."
    return "\n".join([f"## Other libraries\n\n{text}\n", comparisons(result["rows"]), *failed])


def knn_section(result: Result) -> str:
    """Exact neighbours."""
    sizes, memory = result["shape"], result["peak_memory_above_features_gb"]
    return (
        f"## Item neighbours\n\n{sizes['items']:,} items × {sizes['width']}, k={sizes['k']}: "
        f"{spread(result['seconds'])}, {result['limit_ratio']:.2f}× the limit, {memory:.2f} GB above "
        f"the features' {result['features_gb']:.2f} GB. {result['rows_checked']} rows checked against brute force in "
        f"double precision: similarities differ by at most {result['largest_similarity_gap']:.0g}.\n"
    )


def memory_section(result: Result) -> str:
    """Peak memory."""
    sizes = result["shape"]
    return (
        f"## Memory\n\nThe train verb in a fresh process, `{result['options']}`, on {sizes['users']:,} users × "
        f"{sizes['items']:,} items, {sizes['pairs']:,} training pairs, {sizes['width']}-d features: "
        f"peak {result['peak_memory_gb']:.2f} GB, {result['epoch_seconds']:.0f} s for one epoch and its validation.\n"
    )


def scale_section(result: Result) -> str:
    """Growth with the graph."""
    lines = [
        [
            f"{row['edges']:,}",
            f"{row['users']:,} × {row['items']:,}",
            spread(row["seconds"]),
            f"{row['peak_memory_gb']:.2f}",
        ]
        for row in result["rows"]
    ]
    head = table(["training edges", "users × items", "seconds per step", "peak GB"], lines)
    text = f"Seconds grow with edges to the power {result['exponent']:.2f}."
    return f"## Growth\n\n{text}\n\n![Time and memory of a step by training edges](images/growth.svg)\n\n{head}"


def quality_section(results: Mapping[str, Result]) -> list[str]:
    """Seconds to quality: a table of all, a figure and the origin of each."""
    if not results:
        return []
    lines, parts = [], []
    for name, result in results.items():
        for schedule, mean in result["mean"].items():
            lines.append(
                [
                    result["dataset"],
                    f"{schedule}: {' '.join(result['settings'][schedule]) or 'defaults'}",
                    seconds(mean["seconds_to_99"]),
                    seconds(mean["seconds"]),
                    f"{mean['epochs']:.0f}",
                    f"{mean['final']:.4f}",
                    f"{mean['test']:.4f}",
                ]
            )
        faster = " ".join(result["settings"].get("faster", ())) or "defaults"
        parts += [f"![Validation over time, {result['dataset']}: {faster}](images/{name}.svg)\n", origin(result)]
    head = ["data", "schedule", "to 99 %", "whole run", "epochs", "validation Recall@20", "test Recall@20"]
    return [f"## Time to quality\n\n{table(head, lines)}", *parts]


def triton_section(result: Result) -> str:
    """What the compiler says of the Triton kernels, and estimates."""
    kernels = [
        [
            f"`{row['kernel']}`",
            f"sm_{row['capability']}",
            *(str(row[key]) for key in ("warps", "registers", "shared_bytes", "spill_store_bytes", "spill_load_bytes")),
        ]
        for row in result["kernels"]
    ]
    head = ["kernel", "target", "warps", "registers", "shared bytes", "spilled, stored", "spilled, loaded"]
    gpus = [rate["name"] for rate in result["estimate_rates"]]
    estimates = [
        [
            f"`{row['operation']}`",
            row["call"],
            *(f"{row['estimated_least_microseconds'][gpu]:.1f} ({row['estimated_limit'][gpu]})" for gpu in gpus),
        ]
        for row in result["estimates"]
    ]
    return "\n".join(
        [
            "## Triton kernels\n\nCompiled ahead of time; no GPU was used.\n",
            folded("Registers and shared memory of every kernel", table(head, kernels)),
            f"**Estimates, not measurements**: {result['estimate_note']}.\n",
            table(["operation", "call", *(f"estimated µs, {gpu}" for gpu in gpus)], estimates),
        ]
    )


def backends_section(result: Result) -> str:
    """What the optional backends cost."""
    lines = [
        [
            f"`{row['operation']}`",
            row["what"],
            row["backend"],
            f"{row['milliseconds']:.2f}",
            f"{row['ratio_to_torch']:.2f}×",
        ]
        for row in result["rows"]
    ]
    return f"## Optional backends\n\n{table(['operation', 'what', 'backend', 'ms', 'of torch'], lines)}"


def shape(result: Result) -> str:
    """The sizes, in a sentence."""
    sizes = result["shape"]
    rest = ", ".join(f"{name} {sizes[name]}" for name in ("width", "batch", "dim") if name in sizes)
    counts = f"{sizes['users']:,} users × {sizes['items']:,} items, {sizes['train']:,} training pairs"
    return f"{sizes['name']}: {counts}; {rest}."


def rates(result: Result) -> str:
    """The machine's rates."""
    gemms, copy = result["rates"]["gemm_gflops"], f"copy {result['rates']['copy_gb_s']:.1f} GB/s"
    if not gemms:
        return f"Rate in this run: {copy}.\n"
    span = f"{min(gemms.values()):.0f} – {max(gemms.values()):.0f} GFLOP/s"
    return f"Rates in this run: GEMM {span} at the shapes of the step, {copy}.\n"


SECTIONS: dict[str, Callable[[Result], str]] = {
    "epoch": epoch_section,
    "kernels": kernels_section,
    "dense-graph": dense_section,
    "ranking": ranking_section,
    "gpu": gpu_section,
    "peers": peers_section,
    "knn": knn_section,
    "memory": memory_section,
    "scale": scale_section,
    "ext-backends": backends_section,
    "triton-resources": triton_section,
}

if __name__ == "__main__":
    run_program(main)
