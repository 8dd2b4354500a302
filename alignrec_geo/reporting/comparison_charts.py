"""The charts of a comparison: in every one the models have the order of the table, and the reference its colour."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from alignrec_geo.reporting.charts import Chart, grid, label, plain_numbers
from alignrec_geo.reporting.labels import name_points
from alignrec_geo.reporting.look import ACCENT, INK, OTHER, PALE, SOFT, colour
from alignrec_geo.reporting.rows import Row, costs_compare
from alignrec_geo.reporting.words import count, decimal, metric_name, model_name

LINE = 23
"""Pixels of a model's line in a chart of bars."""


def shade(model: str, reference: str, non_learned: bool) -> str:
    """The colour of a model: the reference's own, one for all others, a pale one for what is not trained."""
    return colour(ACCENT if model == reference else PALE if non_learned else OTHER)


def quality(rows: Sequence[Row], reference: str) -> list[Chart]:
    """Recall@20 and NDCG@20 of every model as bars with the standard deviation; none for a single model."""
    charts = [_quality(rows, reference, metric) for metric in ("recall@20", "ndcg@20")]
    return [chart for chart in charts if chart is not None]


def _quality(rows: Sequence[Row], reference: str, metric: str) -> Chart | None:
    shown = [row for row in rows if metric in row.means]
    if len(shown) < 2:
        return None

    def draw(axes: Axes) -> None:
        spreads = [row.spreads.get(metric, 0.0) for row in shown]
        ends = [row.means[metric] + spread for row, spread in zip(shown, spreads, strict=True)]
        colours = [shade(row.model, reference, row.non_learned) for row in shown]
        places = _bars(axes, [row.model for row in shown], [row.means[metric] for row in shown], colours, reference)
        for row, place, spread in zip(shown, places, spreads, strict=True):
            if spread:
                low, high = row.means[metric] - spread, row.means[metric] + spread
                axes.plot([low, high], [place, place], color=colour(INK), linewidth=1.2)
        for place, row, end in zip(places, shown, ends, strict=True):
            axes.annotate(
                f"{row.means[metric]:.4f}", (end, place), xytext=(5, 0), textcoords="offset points", va="center"
            )
        axes.set_xlim(0, max(*ends, 1e-6) * 1.22)
        axes.set_xlabel(metric_name(metric))

    said = ", ".join(f"{model_name(row.model)} {row.means[metric]:.4f}" for row in shown)
    note = "Lines: ± one standard deviation over seeds." if any(metric in row.spreads for row in shown) else ""
    return Chart(metric_name(metric), said, draw, height=60 + LINE * len(shown), width=600, note=note)


def cost(rows: Sequence[Row], reference: str) -> Chart | None:
    """Seconds to the chosen epoch (logarithmic) against Recall@20.

    ``None`` for fewer than two trained models, and for models that were trained on different devices.
    """
    shown = [
        row for row in rows if not row.non_learned and row.costs.get("seconds_to_best") and "recall@20" in row.means
    ]
    if len(shown) < 2 or not costs_compare(shown):
        return None
    points = [(row.costs["seconds_to_best"], row.means["recall@20"]) for row in shown]

    def draw(axes: Axes) -> None:
        colours = [shade(row.model, reference, False) for row in shown]
        for point, one in zip(points, colours, strict=True):
            axes.plot(*point, "o", color=one, markersize=8)
        axes.set_xscale("log")
        axes.set_xlabel("seconds of training to the chosen epoch")
        axes.set_ylabel("Recall@20")
        low, high = min(x for x, _ in points), max(x for x, _ in points)
        axes.set_xlim(low / 1.6, high * 1.9)
        plain_numbers(axes.xaxis, low / 1.6, high * 1.9)
        least, most = min(y for _, y in points), max(y for _, y in points)
        room = (most - least) or abs(most) or 1.0
        axes.set_ylim(least - 0.15 * room, most + 0.15 * room)
        axes.yaxis.set_major_locator(MaxNLocator(5, min_n_ticks=2))
        grid(axes, "y")
        names = [label(model_name(row.model), 24) for row in shown]
        inks = [colour(ACCENT if row.model == reference else INK) for row in shown]
        name_points(axes, points, names, inks)

    said = ", ".join(
        f"{model_name(row.model)} {x:,.0f} s and {y:.4f}" for row, (x, y) in zip(shown, points, strict=True)
    )
    note = "Up and to the left is better. Medians over seeds; the axis of time is logarithmic."
    return Chart("Quality against the time it takes", said, draw, 380, 900, narrow_height=420, note=note)


def groups(results: Mapping[str, Any], rows: Sequence[Row], kind: str) -> list[Chart]:
    """Recall@20 by group: a panel per group, its models in the order of the table.

    Args:
        results: the content of ``results.json``.
        rows: the main table.
        kind: ``users`` or ``items``.
    """
    labels: dict[str, str] = {}
    values: dict[str, dict[str, list[float]]] = {}
    for model in results["models"]:
        for run in model["runs"]:
            for name, group in ((run.get("groups") or {}).get(kind) or {}).items():
                if (value := group.get("recall@20")) is not None:
                    labels.setdefault(name, _group_label(name, group, kind))
                    values.setdefault(name, {}).setdefault(model["name"], []).append(value)
    panels = []
    for name, title in labels.items():
        found = [(row, float(np.mean(values[name][row.model]))) for row in rows if row.model in values[name]]
        if len(found) > 1:
            panels.append(_panel(title, found, results["reference"]))
    return panels


def _group_label(name: str, group: Mapping[str, Any], kind: str) -> str:
    if kind == "users":
        return f"{name.replace('-', '–')} items in training" + (
            f", {count(group['users'])} users" if "users" in group else ""
        )
    return f"{name} items" + (f", {count(group['positives'])} test pairs" if "positives" in group else "")


def _panel(title: str, found: Sequence[tuple[Row, float]], reference: str) -> Chart:
    def draw(axes: Axes) -> None:
        colours = [shade(row.model, reference, row.non_learned) for row, _ in found]
        places = _bars(axes, [row.model for row, _ in found], [value for _, value in found], colours, reference)
        for place, (_, value) in zip(places, found, strict=True):
            axes.annotate(f"{value:.3f}", (value, place), xytext=(4, 0), textcoords="offset points", va="center")
        axes.set_xlim(0, max(max(value for _, value in found), 1e-3) * 1.3)
        axes.set_xlabel("Recall@20")
        axes.xaxis.set_major_locator(MaxNLocator(3, min_n_ticks=2))

    said = ", ".join(f"{model_name(row.model)} {decimal(value)}" for row, value in found)
    return Chart(title, said, draw, height=56 + (LINE - 3) * len(found), small=True)


def differences(results: Mapping[str, Any], rows: Sequence[Row], tested: Sequence[Mapping[str, Any]]) -> Chart | None:
    """The reference's Recall@20 minus each model's, with its bootstrap interval; ``None`` for fewer than two."""
    found = {test["baseline"]: test for test in tested if test["metric"] == "recall@20"}
    shown = [row for row in rows if row.model in found]
    if len(shown) < 2:
        return None
    reference = model_name(results["reference"])

    def draw(axes: Axes) -> None:
        places = np.arange(len(shown))[::-1]
        axes.axvline(0, color=colour(SOFT), linewidth=1)
        for place, row in zip(places, shown, strict=True):
            test = found[row.model]
            one = colour(INK) if row.significant else colour(PALE)
            axes.plot([test["low"], test["high"]], [place, place], color=one, linewidth=2)
            axes.plot([test["difference"]], [place], "o", color=one, markersize=7)
        axes.set_yticks(places, [label(model_name(row.model), 22) for row in shown])
        axes.tick_params(axis="y", length=0, labelcolor=colour(INK))
        axes.set_xlabel("difference in Recall@20")
        axes.xaxis.set_major_locator(MaxNLocator(4, min_n_ticks=2))
        axes.set_ylim(-0.6, len(shown) - 0.4)
        grid(axes, "x")

    said = ", ".join(f"{model_name(row.model)} {found[row.model]['difference']:+.4f}" for row in shown)
    note = "Right of zero the reference is better. Lines: 95 % bootstrap intervals; pale ones are not significant."
    return Chart(f"{reference} − model", said, draw, 60 + LINE * len(shown), 760, note=note)


def _bars(
    axes: Axes, models: Sequence[str], values: Sequence[float], colours: Sequence[str], reference: str
) -> list[int]:
    """Horizontal bars in the order given, from above; returns where they are."""
    places = list(range(len(models)))[::-1]
    axes.barh(places, values, 0.68, color=list(colours))
    axes.set_yticks(places, [label(model_name(name), 22) for name in models])
    axes.tick_params(axis="y", length=0, labelcolor=colour(INK))
    for tick, name in zip(axes.get_yticklabels(), models, strict=True):
        if name == reference:
            tick.set_fontweight("bold")
    axes.set_ylim(-0.6, len(models) - 0.4)
    axes.xaxis.set_major_locator(MaxNLocator(4, min_n_ticks=2))
    grid(axes, "x")
    return places
