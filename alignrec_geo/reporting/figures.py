"""Figures of comparisons and probes, drawn with matplotlib's objects (no global state)."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from alignrec_geo.plain import printable
from alignrec_geo.reporting.rows import Row
from alignrec_geo.reporting.tables import group_table

OURS, OTHER, PALE = "#c2410c", "#475569", "#cbd5e1"


def quality(rows: Sequence[Row], reference: str) -> Figure:
    """Bars of mean Recall@20 and NDCG@20 with their standard deviation."""
    shown = [row for row in reversed(rows) if "recall@20" in row.means]
    figure = Figure(figsize=(8, 0.6 + 0.32 * len(shown)), layout="constrained")
    for place, (metric, title) in enumerate((("recall@20", "Recall@20"), ("ndcg@20", "NDCG@20")), start=1):
        axes = figure.add_subplot(1, 2, place)
        axes.barh(
            [label(row.model) for row in shown],
            [row.means.get(metric, 0.0) for row in shown],
            xerr=[row.spreads.get(metric, 0.0) for row in shown],
            color=[OURS if row.model == reference else PALE if row.non_learned else OTHER for row in shown],
        )
        axes.set_title(title)
        axes.spines[["top", "right"]].set_visible(False)
        if place == 2:
            axes.set_yticklabels([])
    return figure


def cost(rows: Sequence[Row], reference: str) -> Figure:
    """Seconds to the best epoch (logarithmic) against Recall@20."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for row in rows:
        seconds = row.costs.get("seconds_to_best", 0.0)
        if row.non_learned or not seconds or "recall@20" not in row.means:
            continue
        at = (seconds, row.means["recall@20"])
        axes.scatter(*at, color=OURS if row.model == reference else OTHER)
        axes.annotate(label(row.model), at, xytext=(5, 4), textcoords="offset points", fontsize=8)
    axes.set_xscale("log")
    axes.set_xlabel("seconds of training until the chosen epoch")
    axes.set_ylabel("Recall@20")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def item_groups(results: Mapping[str, Any]) -> Figure | None:
    """Recall@20 of every model on head, mid, tail and cold items; ``None`` where nothing was grouped."""
    header, rows = group_table(results, "items")
    if not rows:
        return None
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.add_subplot()
    labels = header[1:]
    width = 0.8 / len(labels)
    for number, name in enumerate(labels):
        values = [0.0 if row[number + 1] == "–" else float(row[number + 1]) for row in rows]
        axes.bar([place + number * width for place in range(len(rows))], values, width, label=label(name))
    axes.set_xticks(
        [place + 0.4 - width / 2 for place in range(len(rows))], [label(row[0]) for row in rows], rotation=45
    )
    axes.set_ylabel("Recall@20")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def probe_bars(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Zero-shot and item-CF Recall@20 of every content, as it is and centred.

    Args:
        rows: the ``rows`` of what ``probe --json`` prints.
    """
    contents = list(dict.fromkeys(row["content"] for row in rows))[::-1]
    figure = Figure(figsize=(9, 1.0 + 0.4 * len(contents)), layout="constrained")
    for place, (measure, title) in enumerate((("zero_shot", "zero-shot"), ("item_cf", "item-CF")), start=1):
        axes = figure.add_subplot(1, 2, place)
        for centred, shift, color, name in ((False, 0.2, OTHER, "as it is"), (True, -0.2, OURS, "centred")):
            shown = {row["content"]: row[measure] for row in rows if row["centred"] == centred}
            values = [(shown.get(content) or {}).get("recall@20", 0.0) for content in contents]
            axes.barh([n + shift for n in range(len(contents))], values, 0.38, color=color, label=name)
        axes.set_yticks(
            range(len(contents)), [label(content) for content in contents] if place == 1 else [""] * len(contents)
        )
        axes.set_title(f"{title} Recall@20")
        axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    return figure


def label(text: str) -> str:
    """A text that matplotlib draws as it is: a dollar sign would begin a formula."""
    return printable(text).replace("$", r"\$")


def as_svg(figure: Figure) -> str:
    """The figure as an ``<svg>`` element, its text as text and the same bytes every time."""
    stream = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "alignrec_geo"}):
        figure.savefig(stream, format="svg", metadata={"Date": None})
    text = stream.getvalue().decode("utf-8")
    return text[text.index("<svg") :]


def as_png(figure: Figure) -> bytes:
    """The figure as a PNG file."""
    stream = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(stream, format="png", dpi=150)
    return stream.getvalue()
