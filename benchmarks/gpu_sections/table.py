"""The result as one table for a terminal."""

from collections.abc import Mapping
from typing import Any

from pages.markdown import median, seconds, times

Result = Mapping[str, Any]


def render(result: Result) -> str:
    """All sections, a line per row."""
    lines = [f"{result['device']} · {result['command']} · {result['seconds']:.0f} s"]
    for name, section in result["sections"].items():
        lines.append(f"\n{name} ({section['seconds']:.0f} s)")
        lines += [f"  {row['what']:<34} {line(name, row)}" for row in section["rows"]]
        if "error" in section:
            lines.append(f"  FAILED: {section['error']}")
    return "\n".join(lines)


def line(section: str, row: Result) -> str:
    """What a row says, in one line."""
    parts = []
    if "ok" in row:
        parts.append({True: "ok", False: "NOT OK", None: "not run"}[row["ok"]])
    for key in ("loss", "gradient", "tables", "largest_difference"):
        if row.get(key) is not None:
            parts.append(f"{key} {row[key]:.1e}")
    if row.get("worst") and row.get("ok") is False:
        parts.append(f"({row['worst']})")
    if isinstance(row.get("seconds"), Mapping):
        parts += [f"{key} {seconds(median(value))}" for key, value in row["seconds"].items()]
    elif row.get("seconds") is not None:
        parts.append(seconds(row["seconds"]))
    if row.get("limit_seconds") is not None:
        parts.append(f"limit {seconds(row['limit_seconds'])}")
    for key in ("step_seconds", "kernel_seconds", "first_seconds"):
        if row.get(key) is not None:
            parts.append(f"{key.removesuffix('_seconds')} {seconds(row[key])}")
    ratio = row.get("ratio")
    if isinstance(ratio, Mapping):
        parts += [f"{key} {times(value)}" for key, value in ratio.items()]
    elif ratio is not None:
        parts.append(f"naive {times(ratio)}")
    if row.get("limit_ratio") is not None:
        parts.append(f"over limit {times(row['limit_ratio'])}")
    if row.get("share") is not None:
        parts.append(f"busy {100 * row['share']:.0f} %, {row['kernels_per_step']:.0f} kernels")
    for key in ("default", "edges", "recall@20", "copy_gb_s", "float32_tflops", "tf32_tflops", "note", "failed"):
        if row.get(key) not in (None, []):
            parts.append(f"{key} {row[key]}")
    parts += [f"{key} {value}" for key, value in row.items() if key.endswith("_failed")]
    if isinstance(row.get("peak_gb"), float):
        parts.append(f"{row['peak_gb']:.2f} GB")
    return "  ".join(parts)
