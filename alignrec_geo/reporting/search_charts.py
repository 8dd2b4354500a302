"""The charts of how a comparison was trained: the trials of every model, and its validation by epoch."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from alignrec_geo.reporting.charts import Chart, grid, label, plain_numbers
from alignrec_geo.reporting.comparison_charts import LINE, shade
from alignrec_geo.reporting.look import INK, PALE, PAPER, colour
from alignrec_geo.reporting.rows import Row
from alignrec_geo.reporting.words import metric_name, model_name

Curve = Sequence[tuple[int, float]]


def trials(results: Mapping[str, Any], rows: Sequence[Row]) -> Chart | None:
    """Validation Recall@20 of every trial by model, the chosen one filled; ``None`` where nobody has two trials."""
    found: dict[str, list[tuple[float, bool]]] = {}
    for model in results["models"]:
        valued = [trial for trial in model["trials"] if trial["validation"] and "recall@20" in trial["validation"]]
        if valued:
            chosen = [trial["settings"] == model["chosen"] for trial in valued]
            values = [trial["validation"]["recall@20"] for trial in valued]
            found[model["name"]] = list(zip(values, chosen, strict=True))
    shown = [row for row in rows if row.model in found]
    if not any(len(found[row.model]) > 1 for row in shown):
        return None

    def draw(axes: Axes) -> None:
        places = np.arange(len(shown))[::-1]
        for place, row in zip(places, shown, strict=True):
            one = shade(row.model, results["reference"], row.non_learned)
            values = [value for value, _ in found[row.model]]
            axes.plot([min(values), max(values)], [place, place], color=colour(PALE), linewidth=1)
            axes.plot(
                values, [place] * len(values), "o", color=colour(PALE), markeredgecolor=colour(PAPER), markersize=7
            )
            best = [value for value, chosen in found[row.model] if chosen][:1]
            axes.plot(best, [place] * len(best), "o", color=one, markersize=9, markeredgecolor=colour(PAPER))
        axes.set_yticks(places, [label(model_name(row.model), 22) for row in shown])
        axes.tick_params(axis="y", length=0, labelcolor=colour(INK))
        axes.set_ylim(-0.6, len(shown) - 0.4)
        axes.set_xlabel("validation Recall@20")
        axes.xaxis.set_major_locator(MaxNLocator(4, min_n_ticks=2))
        grid(axes, "x")

    said = ", ".join(f"{model_name(row.model)}: {len(found[row.model])} trials" for row in shown)
    note = "A point is a trial; the large one was chosen. A wide row: the settings matter much."
    return Chart("Trials of every model", said, draw, 60 + LINE * len(shown), 760, note=note)


def curves(results: Mapping[str, Any], rows: Sequence[Row]) -> list[Chart]:
    """Validation by epoch: a panel per model with its seeds, the other models pale behind it.

    Args:
        results: the content of ``results.json``; runs of earlier releases have no curves.
        rows: the main table.
    """
    found: dict[str, list[Curve]] = {}
    for model in results["models"]:
        own = [run["curve"] for run in model["runs"] if len(run.get("curve") or ()) > 1]
        if own:
            found[model["name"]] = own
    shown = [row for row in rows if row.model in found]
    metrics = {
        str(model["training"].get("metric", "recall@20")) for model in results["models"] if model["name"] in found
    }
    if not shown or len(metrics) != 1:
        return []
    return [_curve(row, found, results["reference"], metric_name(*metrics)) for row in shown]


def _curve(row: Row, found: Mapping[str, Sequence[Curve]], reference: str, metric: str) -> Chart:
    lengths = [curve[-1][0] for own in found.values() for curve in own]
    logarithmic = max(lengths) > 8 * min(lengths)

    def draw(axes: Axes) -> None:
        for name, own in found.items():
            if name != row.model:
                axes.plot(*zip(*own[0], strict=True), color=colour(PALE), linewidth=0.8, alpha=0.7)
        for curve in found[row.model]:
            one = shade(row.model, reference, False)
            axes.plot(*zip(*curve, strict=True), color=one, linewidth=1.8)
        first = min(curve[0][0] for own in found.values() for curve in own)
        if logarithmic:
            axes.set_xscale("log")
            axes.set_xlim(max(first, 1) * 0.95, max(lengths) * 1.05)
            plain_numbers(axes.xaxis, max(first, 1), max(lengths))
        else:
            axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=2))
        axes.set_xlabel("epoch")
        axes.yaxis.set_major_locator(MaxNLocator(4))
        grid(axes, "y")

    own = found[row.model]
    says = f"{metric} on validation of {len(own)} seeds, ends at {own[0][-1][1]:.4f} after {own[0][-1][0]} epochs."
    return Chart(model_name(row.model), says, draw, height=180, small=True)
