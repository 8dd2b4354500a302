"""The charts of the performance page, drawn as those of reports are."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullLocator
from pages.gpu_section import rows_of
from pages.headlines import Headline, headlines
from pages.markdown import median

from alignrec_geo.reporting.charts import Chart, grid, label, plain_numbers
from alignrec_geo.reporting.look import ACCENT, INK, OTHER, PALE, PAPER, SOFT, colour
from alignrec_geo.reporting.words import model_name

Results = Mapping[str, Mapping[str, Any]]
BAR = 26
"""Pixels of a line in a chart of bars."""


def overview(results: Results) -> Chart:
    """How many times as fast as the other contestant, best first; below 1 the other one is faster."""
    rows: Sequence[Headline] = sorted(headlines(results), key=lambda row: -row.ratio)

    def draw(axes: Axes) -> None:
        places = np.arange(len(rows))[::-1]
        axes.barh(
            places, [row.ratio - 1 for row in rows], 0.66, left=1,
            color=[colour(ACCENT if row.ratio >= 1 else OTHER) for row in rows],
        )  # fmt: skip
        _log_axis(axes, min(1.0, *(row.ratio for row in rows)) / 1.2, max(row.ratio for row in rows) * 2.5)
        axes.axvline(1, color=colour(SOFT), linewidth=1)
        broken = "\n" if _is_narrow(axes) else ", "
        axes.set_yticks(places, [broken.join(label(part) for part in row.short) for row in rows])
        for place, row in zip(places, rows, strict=True):
            axes.annotate(
                f"{row.ratio:.2f}", (max(1.0, row.ratio), place), xytext=(5, 0), textcoords="offset points", va="center"
            )
        axes.set_xlabel("times as fast")

    said = ", ".join(f"{', '.join(row.short)} {row.ratio:.2f}" for row in rows)
    return Chart(
        "How many times as fast", said, draw, 64 + BAR * len(rows), 760, narrow_height=64 + 1.6 * BAR * len(rows)
    )


def over_limit(result: Mapping[str, Any]) -> Chart:
    """Time of every operation over the limit of the machine: ours and the naive form."""
    rows = result["rows"]
    pairs = [(row["limit_ratio"], row["limit_ratio"] * row["ratio"]) for row in rows]

    def draw(axes: Axes) -> None:
        places = np.arange(len(rows))[::-1]
        for place, (ours, naive) in zip(places, pairs, strict=True):
            axes.plot([ours, naive], [place, place], color=colour(PALE), linewidth=2)
            axes.plot([naive], [place], "o", color=colour(OTHER), markersize=8, markeredgecolor=colour(PAPER))
            axes.plot([ours], [place], "o", color=colour(ACCENT), markersize=9, markeredgecolor=colour(PAPER))
        _log_axis(axes, 1, max(naive for _, naive in pairs) * 1.3)
        axes.set_yticks(places, [row["what"] for row in rows])
        axes.set_xlabel("time over the machine's limit")
        _key(axes)

    said = ", ".join(
        f"{row['what']} {ours:.2f} and naive {naive:.2f}" for row, (ours, naive) in zip(rows, pairs, strict=True)
    )
    return Chart("Operations over their limit", said, draw, 90 + BAR * len(rows), 680)


def gpu_steps(result: Mapping[str, Any]) -> Chart:
    """Milliseconds of a training step of every model on a GPU: recorded as one graph, and operation by operation."""
    rows = sorted(rows_of(result, "models"), key=lambda row: median(row["seconds"]["captured"]))
    pairs = [tuple(1e3 * median(row["seconds"][name]) for name in ("captured", "eager")) for row in rows]

    def draw(axes: Axes) -> None:
        places = np.arange(len(rows))[::-1]
        for place, (graph, eager) in zip(places, pairs, strict=True):
            axes.plot([graph, eager], [place, place], color=colour(PALE), linewidth=2)
            axes.plot([eager], [place], "o", color=colour(OTHER), markersize=8, markeredgecolor=colour(PAPER))
            axes.plot([graph], [place], "o", color=colour(ACCENT), markersize=9, markeredgecolor=colour(PAPER))
            axes.annotate(
                f"{graph:.2f}", (graph, place), xytext=(-8, 0), textcoords="offset points", ha="right", va="center"
            )
        least = min(graph for graph, _ in pairs) / (5 if _is_narrow(axes) else 2)
        _log_axis(axes, least, max(eager for _, eager in pairs) * 1.3)
        axes.set_yticks(places, [model_name(row["what"]) for row in rows])
        axes.set_xlabel("milliseconds per training step")
        _key(axes, "CUDA graph", "eager")

    said = ", ".join(f"{row['what']} {graph:.2f} ms" for row, (graph, _) in zip(rows, pairs, strict=True))
    return Chart("A training step on the GPU", said, draw, 90 + BAR * len(rows), 680)


def growth(result: Mapping[str, Any]) -> Chart:
    """Seconds per step against training edges, with the fitted power."""
    edges = np.array([row["edges"] for row in result["rows"]], dtype=float)
    taken = np.array([row["seconds"]["median"] for row in result["rows"]])
    fitted = np.exp(np.log(taken).mean() + result["exponent"] * (np.log(edges) - np.log(edges).mean()))

    def draw(axes: Axes) -> None:
        axes.plot(edges, fitted, color=colour(PALE), linewidth=1.5)
        axes.plot(edges, taken, "o", color=colour(ACCENT), markersize=8)
        for row, x, y in zip(result["rows"], edges, taken, strict=True):
            axes.annotate(
                f"{y:.2f} s, {row['peak_memory_gb']:.1f} GB", (x, y), xytext=(10, -4), textcoords="offset points",
                va="top",
            )  # fmt: skip
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlim(edges[0] / 1.8, edges[-1] * (40 if _is_narrow(axes) else 6))
        axes.set_ylim(taken.min() / 2.5, taken.max() * 2)
        axes.set_xticks(edges, [f"{value / 1e6:,.10g} M" for value in edges])
        axes.xaxis.set_minor_locator(NullLocator())
        plain_numbers(axes.yaxis, taken.min() / 2.5, taken.max() * 2)
        axes.set_xlabel("training edges")
        axes.set_ylabel("seconds per step")
        grid(axes, "y")

    said = ", ".join(f"{x:,.0f} edges {y:.2f} s" for x, y in zip(edges, taken, strict=True))
    return Chart("Time and memory of a step by edges", said, draw, 280, 680)


def time_to_quality(result: Mapping[str, Any]) -> Chart:
    """Validation Recall@20 against seconds, one line per run."""
    shades = {"faithful": OTHER, "faster": ACCENT}

    def draw(axes: Axes) -> None:
        for row in result["rows"]:
            axes.plot(*zip(*row["curve"], strict=True), color=colour(shades[row["schedule"]]), linewidth=1.4)
        for kind in result["settings"]:
            axes.plot([], [], color=colour(shades[kind]), label="defaults" if kind == "faithful" else kind)
        axes.set_xlabel("seconds of training")
        axes.set_ylabel("validation Recall@20")
        axes.set_xlim(0, None)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.legend(loc="lower right")
        grid(axes, "y")

    said = "; ".join(f"{kind}: {mean['final']:.4f}" for kind, mean in result["mean"].items())
    return Chart(f"Validation over time, {result['dataset']}", said, draw, 260, 680)


def _is_narrow(axes: Axes) -> bool:
    return axes.figure.bbox.width < 400


def _log_axis(axes: Axes, least: float, most: float) -> None:
    """A logarithmic axis, and names on the left."""
    axes.set_xscale("log")
    axes.set_xlim(least, most)
    plain_numbers(axes.xaxis, least, most)
    axes.tick_params(axis="y", length=0, labelcolor=colour(INK))
    grid(axes, "x")


def _key(axes: Axes, ours: str = "ours", other: str = "naive") -> None:
    for name, one in ((ours, ACCENT), (other, OTHER)):
        axes.plot([], [], "o", color=colour(one), markersize=8, label=name)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0, handletextpad=0.2)
