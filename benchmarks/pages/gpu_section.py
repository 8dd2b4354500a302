"""The part of ``docs/performance.md`` that ``benchmarks/gpu.py`` measures."""

from collections.abc import Mapping, Sequence
from typing import Any

from pages.markdown import Result, folded, median, seconds, table, times

Rows = Sequence[Mapping[str, Any]]


def gpu_section(result: Result) -> str:
    """Everything that was measured on a GPU; sections that were not run are left out."""
    parts = ["## On a GPU\n", _device(result), _checks(result)]
    for name, section in (
        ("steps", _steps),
        ("epochs", _epochs),
        ("models", _models),
        ("operations", _operations),
        ("busy", _busy),
        ("10m", _growth),
        ("100m", _growth),
        ("data", _real_data),
    ):
        rows = rows_of(result, name)
        if rows:
            parts.append(section(result, rows))
    failed = [f"{name}: {part['error']}" for name, part in result["sections"].items() if "error" in part]
    parts += [f"Not measured in this run: {'; '.join(failed)}.\n"] if failed else []
    return "\n".join(parts)


def rows_of(result: Result, section: str) -> Rows:
    """The rows of a section that hold a measurement."""
    rows = result["sections"].get(section, {}).get("rows", [])
    return [row for row in rows if (row.get("note") is None and "failed" not in row) or "seconds" in row]


def before_and_now(result: Result) -> dict[str, tuple[float, float]]:
    """Seconds per step of every baseline in the older version and in this one, where both were measured."""
    older = {row["what"]: median(row["seconds"]) for row in rows_of(result, "before") if "seconds" in row}
    now = {row["what"]: row["seconds"] for row in rows_of(result, "models")}
    fastest = {name: min(median(value) for value in timed.values()) for name, timed in now.items() if timed}
    return {name: (older[name], fastest[name]) for name in fastest if name in older}


def _device(result: Result) -> str:
    facts = rows_of(result, "device")
    if not facts:
        return f"{result['device']}.\n"
    about = facts[0]
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    return (
        f"{about['name']}, {about.get('memory_gb', 0):.0f} GB, driver {about.get('driver', '–')}, {versions}. In this "
        f"run it copied {about['copy_gb_s']:,.0f} GB/s and multiplied {about['float32_tflops']:.1f} TFLOP/s in float32 "
        f"({about.get('tf32_tflops', 0):.0f} with TF32, which the package does not turn on). *Limit*: bytes and "
        "operations of the formulas at these two rates. Everything here is made by one command, `python "
        "benchmarks/gpu.py`; `make gpu-pack` prepares a folder for a machine without network.\n"
    )


def _checks(result: Result) -> str:
    lines = []
    for row in result["sections"].get("tests", {}).get("rows", []):
        lines.append(["tests of the Triton kernels", str(row["note"])])
    parity, repeats = rows_of(result, "parity"), rows_of(result, "repeats")
    if parity:
        loss = max(row["loss"] or 0.0 for row in parity)
        gradient = max(row["gradient"] or 0.0 for row in parity)
        good = sum(bool(row["ok"]) for row in parity)
        apart = ", ".join(row["what"] for row in parity if not row["ok"])
        text = f"{good} of {len(parity)} models agree{f' (not: {apart})' if apart else ''}; largest relative difference"
        lines.append(["first step on the GPU against the CPU", f"{text} {loss:.0e} (loss), {gradient:.0e} (gradients)"])
    if repeats:
        good, changed = sum(bool(row["ok"]) for row in repeats), [row["what"] for row in repeats if not row["ok"]]
        different = f"; different: {', '.join(changed)}" if changed else ""
        lines.append(["two runs of one seed", f"{good} of {len(repeats)} models equal in every bit{different}"])
    return table(["check", "result"], lines) if lines else ""


def _steps(result: Result, rows: Rows) -> str:
    lines = [
        [
            row["what"].removeprefix("AlignRec step, "),
            *(_timed(row, name) for name in ("captured", "eager", "naive")),
            _factor(row["ratio"].get("naive") if "ratio" in row else None),
            seconds(row["limit_seconds"]),
            _factor(row.get("limit_ratio")),
        ]
        for row in rows
    ]
    text = f"AlignRec's training step, {_sizes(result)}.\n"
    head = ["", "one CUDA graph", "operation by operation", "naive", "naive over ours", "limit", "ours over the limit"]
    return f"{text}\n{table(head, lines)}"


def _epochs(result: Result, rows: Rows) -> str:
    lines = [
        [row["what"], _timed(row, "ours"), _timed(row, "naive"), _factor(row["ratio"]), seconds(row["first_seconds"])]
        for row in rows
    ]
    return table(["", "ours", "naive", "naive over ours", "ours, first epoch (records the graphs)"], lines)


def _models(result: Result, rows: Rows) -> str:
    before = before_and_now(result)
    lines = []
    for row in rows:
        older = before.get(row["what"])
        was = [seconds(older[0]), _factor(older[0] / older[1])] if older else ["–", "–"]
        lines.append([row["what"], _timed(row, "captured"), _timed(row, "eager"), *was])
    head = ["model", "one CUDA graph", "operation by operation", "before the step was recorded", "that over ours"]
    figure = "![A training step of every model on the GPU](images/gpu-steps.svg)\n"
    return f"Training step of every model with its defaults.\n\n{figure}\n{table(head, lines)}"


def _operations(result: Result, rows: Rows) -> str:
    in_graph = {row["what"].removesuffix(", in a graph"): row for row in rows if row["what"].endswith(", in a graph")}
    lines = []
    for row in rows:
        if row["what"] in in_graph or not row["what"].endswith(", in a graph"):
            graphed = in_graph.get(row["what"], {}).get("seconds", {})
            for backend, timing in row["seconds"].items():
                inside = seconds(median(graphed[backend])) if backend in graphed else "–"
                best = min(median(value) for value in (timing, graphed.get(backend, timing)))
                name = f"{backend} (default)" if backend == row.get("default") else backend
                over = times(best / row["limit_seconds"])
                lines.append([f"`{row['what']}`", name, seconds(median(timing)), inside, over])
    head = ["operation, forward and backward", "form", "called", "in a graph", "the faster over the limit"]
    return folded("Each operation with every backend", table(head, lines))


def _busy(result: Result, rows: Rows) -> str:
    measured = [row for row in rows if "share" in row]
    lines = [
        [
            row["what"],
            seconds(row["step_seconds"]),
            seconds(row["kernel_seconds"]),
            f"{100 * row['share']:.0f} %",
            f"{row['kernels_per_step']:.0f}",
        ]
        for row in measured
    ]
    return table(["AlignRec's step", "takes", "GPU works", "share", "kernels"], lines) if lines else ""


def _growth(result: Result, rows: Rows) -> str:
    lines = [
        [
            row["what"],
            f"{row['edges']:,}",
            f"{row['users']:,} × {row['items']:,}",
            seconds(min(median(value) for value in row["seconds"].values())),
            f"{row['peak_gb']:.1f}" if row.get("peak_gb") is not None else "–",
        ]
        for row in rows
    ]
    return table(["step on a large graph", "training edges", "users × items", "seconds per step", "peak GB"], lines)


def _real_data(result: Result, rows: Rows) -> str:
    lines = [
        [
            row["what"],
            seconds(row["seconds"]["median"]) if "seconds" in row else "–",
            str(row.get("epochs", "–")),
            f"{row['recall@20']:.4f}",
            f"{row['peak_gb']:.2f}" if row.get("peak_gb") is not None else "–",
        ]
        for row in rows
    ]
    head = ["model", "epoch with validation", "epochs", "best validation Recall@20", "peak GB"]
    return folded(f"Epochs on {rows[0]['data']}, every model with its defaults", table(head, lines))


def _sizes(result: Result) -> str:
    sizes = result["shape"]
    return f"{sizes['name']}'s shape, batch {sizes['batch']}, {sizes['width']}-d features, dim {sizes['dim']}"


def _timed(row: Mapping[str, Any], name: str) -> str:
    return seconds(median(row["seconds"][name])) if name in row.get("seconds", {}) else "–"


def _factor(value: float | None) -> str:
    return "–" if value is None else times(value)
