"""Figures of the performance page, as SVG."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from alignrec_geo.files import atomic_path

OURS, OTHER, LINE = "#1f6f8b", "#c9c9c9", "#b5403a"
STYLE = {
    "font.size": 9,
    "svg.fonttype": "none",
    "svg.hashsalt": "alignrec_geo",
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def speedups(rows: list[Mapping[str, Any]], path: Path) -> None:
    """Bars: how many times faster than the naive form or the peer."""
    with mpl.rc_context(STYLE):
        figure, axes = _figure(0.6 + 0.3 * len(rows))
        names = [row["what"] for row in reversed(rows)]
        values = [row["ratio"] for row in reversed(rows)]
        bars = axes.barh(names, [value - 1 for value in values], left=1, color=OURS)
        axes.bar_label(bars, [f"{value:.1f}×" for value in values], padding=3)
        axes.axvline(1, color=LINE, linewidth=1)
        axes.set_xscale("log")
        _plain_numbers(axes.xaxis)
        axes.set_xlabel("times faster")
        axes.margins(x=0.15)
        _save(figure, path)


def over_limit(rows: list[Mapping[str, Any]], path: Path) -> None:
    """Pairs of bars: ours and the naive form over the operation's limit."""
    with mpl.rc_context(STYLE):
        figure, axes = _figure(0.8 + 0.4 * len(rows))
        place = np.arange(len(rows))[::-1]
        ours = [row["limit_ratio"] - 1 for row in rows]
        naive = [row["limit_ratio"] * row["ratio"] - 1 for row in rows]
        axes.barh(place + 0.2, ours, 0.4, left=1, color=OURS, label="ours")
        axes.barh(place - 0.2, naive, 0.4, left=1, color=OTHER, label="naive")
        axes.axvline(1, color=LINE, linewidth=1)
        axes.set_yticks(place, [row["what"] for row in rows])
        axes.set_xscale("log")
        _plain_numbers(axes.xaxis)
        axes.set_xlabel("time over the limit of the machine")
        axes.legend(frameon=False)
        _save(figure, path)


def growth(result: Mapping[str, Any], path: Path) -> None:
    """Seconds per step and peak memory against edges, with the fitted power."""
    edges = np.array([row["edges"] for row in result["rows"]], dtype=float)
    seconds = np.array([row["seconds"]["median"] for row in result["rows"]])
    memory = [row["peak_memory_gb"] for row in result["rows"]]
    fitted = np.exp(np.log(seconds).mean() + result["exponent"] * (np.log(edges) - np.log(edges).mean()))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7, 2.8), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.loglog(edges, seconds, "o", color=OURS)
        left.loglog(edges, fitted, color=LINE, linewidth=1, label=f"edges^{result['exponent']:.2f}")
        left.set(xlabel="training edges", ylabel="seconds per step")
        left.legend(frameon=False)
        right.loglog(edges, memory, "o-", color=OURS)
        right.set(xlabel="training edges", ylabel="peak memory, GB")
        for axes in (left, right):
            axes.xaxis.set_minor_formatter(NullFormatter())
            _plain_numbers(axes.yaxis)
        _save(figure, path)


def quality(results: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Validation Recall@20 against seconds, one panel per data set, one line per run."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7, 2.8), layout="constrained")
        panels = figure.subplots(1, len(results), squeeze=False)[0]
        for axes, result in zip(panels, results.values(), strict=True):
            for row in result["rows"]:
                colour = OURS if row["schedule"] == "faster" else OTHER
                label = row["schedule"] if row["seed"] == result["rows"][0]["seed"] else None
                axes.plot(*zip(*row["curve"], strict=True), color=colour, linewidth=1, label=label)
            axes.set(title=result["dataset"], xlabel="seconds", ylabel="validation Recall@20", xlim=(0, None))
            axes.legend(frameon=False, loc="lower right")
        _save(figure, path)


def _figure(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7, height), layout="constrained")
    return figure, figure.subplots()


def _plain_numbers(axis: Axis) -> None:
    """1, 2, 5, 10, … on a logarithmic axis."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def _save(figure: Figure, path: Path) -> None:
    with atomic_path(path) as staging:
        figure.savefig(staging, format="svg", metadata={"Date": None, "Creator": None})
        text = "\n".join(line.rstrip() for line in staging.read_text(encoding="utf-8").splitlines())
        staging.write_text(text + "\n", encoding="utf-8")
