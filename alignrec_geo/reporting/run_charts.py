"""The charts of a run's report."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from alignrec_geo.reporting.charts import Chart, grid, label
from alignrec_geo.reporting.look import ACCENT, INK, OTHER, PALE, PAPER, SOFT, colour
from alignrec_geo.reporting.run_measures import Groups
from alignrec_geo.reporting.words import count, metric_name

MOST_POINTS = 400
"""Points of a line; of more, so many at equal distances."""


def validation(
    history: Sequence[Mapping[str, Any]], metric: str, best: int, popular: float | None, chosen: bool
) -> Chart | None:
    """Validation by epoch with the chosen epoch marked, and popularity as a line; ``None`` for fewer than two points.

    Args:
        history: the lines of ``metrics.jsonl``.
        metric: which chose the epoch.
        best: the chosen epoch, from 0.
        popular: what popularity reaches on validation.
        chosen: whether validation chose it.
    """
    points = [
        (record["epoch"] + 1, record["validation"][metric])
        for record in history
        if metric in (record.get("validation") or {})
    ]
    if len(points) < 2:
        return None
    epochs, values = _thinned(points, keep=best + 1)
    name = metric_name(metric)

    def draw(axes: Axes) -> None:
        axes.plot(epochs, values, color=colour(ACCENT), marker="o" if len(epochs) < 4 else "", markersize=5)
        axes.set_xlabel("epoch")
        axes.set_ylabel(f"validation {name}")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=2))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        grid(axes, "y")
        axes.margins(x=0.02)
        at = dict(zip(epochs, values, strict=True)).get(best + 1) if chosen else None
        lowest, highest = min(values), max(values)
        if popular is not None:
            axes.axhline(popular, color=colour(SOFT), linewidth=1.5, linestyle=(0, (4, 3)))
            axes.annotate(
                f"popularity {popular:.4f}", (1.0, popular), xycoords=("axes fraction", "data"), xytext=(-2, 5),
                textcoords="offset points", ha="right", color=colour(SOFT),
            )  # fmt: skip
            lowest, highest = min(lowest, popular), max(highest, popular)
        room = (highest - lowest) or abs(highest) or 1.0
        axes.set_ylim(lowest - 0.08 * room, highest + 0.2 * room)
        if at is not None:
            axes.axvline(best + 1, color=colour(PALE), linewidth=1, zorder=0)
            axes.plot([best + 1], [at], "o", color=colour(ACCENT), markersize=8, markeredgecolor=colour(PAPER))
            right = best + 1 > (epochs[0] + epochs[-1]) / 2
            axes.annotate(
                f"epoch {best + 1}: {at:.4f}", (best + 1, at), xytext=(-6 if right else 6, 9),
                textcoords="offset points", ha="right" if right else "left", color=colour(INK), weight="bold",
            )  # fmt: skip

    said = f"{name} on validation goes from {values[0]:.4f} in epoch {epochs[0]} to {values[-1]:.4f} in {epochs[-1]}"
    said += f"; epoch {best + 1} was chosen" if chosen else ""
    said += f"; popularity reaches {popular:.4f}" if popular is not None else ""
    return Chart(f"Validation {name} by epoch", f"{said}.", draw, height=320, width=1200, narrow_height=250)


def losses(history: Sequence[Mapping[str, Any]], best: int) -> list[Chart]:
    """One small chart per loss term, and their sum first where there are several."""
    names = list(dict.fromkeys(name for record in history for name in record["loss"]))
    terms = {name: [(one["epoch"] + 1, one["loss"][name]) for one in history if name in one["loss"]] for name in names}
    if len(names) > 1:
        terms = {"sum of all": [(one["epoch"] + 1, sum(one["loss"].values())) for one in history], **terms}
    return [_loss(name, points, best) for name, points in terms.items() if len(points) > 1]


def _loss(name: str, points: Sequence[tuple[int, float]], best: int) -> Chart:
    epochs, values = _thinned(points, keep=best + 1)

    def draw(axes: Axes) -> None:
        axes.axvline(best + 1, color=colour(PALE), linewidth=1)
        axes.plot(epochs, values, color=colour(OTHER))
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=2))
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.yaxis.set_major_formatter("{x:.4g}")
        grid(axes, "y")

    says = f"Mean over each epoch: {values[0]:.4g} in epoch {epochs[0]}, {values[-1]:.4g} in epoch {epochs[-1]}."
    return Chart(name, says, draw, height=170, small=True)


def groups(title: str, model: str, own: Groups, popular: Groups, kind: str, names: Mapping[str, str]) -> Chart | None:
    """Recall@20 by group as bars, with popularity as a mark; ``None`` where nothing was grouped.

    Args:
        title: of the chart.
        model: its name.
        own: the model's metrics by group.
        popular: popularity's.
        kind: ``users`` or ``items``.
        names: the groups' labels, with their counts.
    """
    found = [(name, group["recall@20"]) for name, group in (own.get(kind) or {}).items()]
    if not found:
        return None
    floor = [(popular.get(kind) or {}).get(name, {}).get("recall@20") for name, _ in found]

    def draw(axes: Axes) -> None:
        places = np.arange(len(found))[::-1]
        values = [value for _, value in found]
        bars = axes.barh(places, values, 0.56, color=colour(ACCENT))
        marks = [(place, value) for place, value in zip(places, floor, strict=True) if value is not None]
        for place, value in marks:
            axes.plot([value, value], [place - 0.38, place + 0.38], color=colour(INK), linewidth=2.5)
        axes.set_yticks(places, [label(names.get(name, name)) for name, _ in found])
        axes.tick_params(axis="y", length=0, labelcolor=colour(INK))
        axes.set_xlabel("Recall@20")
        axes.xaxis.set_major_locator(MaxNLocator(4, min_n_ticks=2))
        axes.set_xlim(0, max([*values, *(value for value in floor if value is not None), 1e-4]) * 1.25)
        grid(axes, "x")
        beyond = [max(value, mark or 0.0) for value, mark in zip(values, floor, strict=True)]
        for bar, value, far in zip(bars, values, beyond, strict=True):
            middle = bar.get_y() + bar.get_height() / 2
            axes.annotate(f"{value:.4f}", (far, middle), xytext=(6, 0), textcoords="offset points", va="center")

    said = ", ".join(f"{names.get(name, name)}: {value:.4f}" for name, value in found)
    note = f"Bars: {model}." + (" Upright marks: popularity." if any(value is not None for value in floor) else "")
    return Chart(title, said, draw, height=62 + 40 * len(found), width=560, note=note)


def group_names(groups: Groups, items: Mapping[str, int]) -> dict[str, str]:
    """Labels of groups with how many users, or items, are in them."""
    users = {name: f"{name.replace('-', '–')} ({count(one['users'])} users)" for name, one in groups["users"].items()}
    return {**users, **{name: f"{name} ({count(items[name])} items)" for name in groups["items"]}}


def _thinned(points: Sequence[tuple[int, float]], keep: int) -> tuple[list[int], list[float]]:
    """Not too many points of a line, the first, the last and epoch ``keep`` among them."""
    if len(points) > MOST_POINTS:
        rows = set(np.linspace(0, len(points) - 1, MOST_POINTS).astype(int).tolist())
        points = [point for row, point in enumerate(points) if row in rows or point[0] == keep]
    return [x for x, _ in points], [y for _, y in points]
