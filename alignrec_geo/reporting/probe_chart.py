"""The chart of what ``probe`` says of features."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from alignrec_geo.reporting.charts import Chart, grid, label
from alignrec_geo.reporting.look import ACCENT, INK, OTHER, colour

BARS = (
    ("zero_shot", False, "zero-shot, as it is", OTHER, 0.45),
    ("zero_shot", True, "zero-shot, centred", OTHER, 1.0),
    ("item_cf", False, "item-CF, as it is", ACCENT, 0.45),
    ("item_cf", True, "item-CF, centred", ACCENT, 1.0),
)


def probe_chart(rows: Sequence[Mapping[str, Any]]) -> Chart:
    """Zero-shot and item-CF Recall@20 of every content, as it is and centred.

    Args:
        rows: the ``rows`` of what ``probe --json`` prints.
    """
    contents = list(dict.fromkeys(row["content"] for row in rows))

    def value(content: str, measure: str, centred: bool) -> float | None:
        found = (row[measure] for row in rows if row["content"] == content and row["centred"] == centred)
        return (next(found, None) or {}).get("recall@20")

    def draw(axes: Axes) -> None:
        places, far = np.arange(len(contents))[::-1], 0.0
        for number, (measure, centred, name, shade, strength) in enumerate(BARS):
            values = [value(content, measure, centred) or 0.0 for content in contents]
            shift = 0.3 - 0.2 * number
            axes.barh(places + shift, values, 0.18, color=colour(shade), alpha=strength, label=name)
            far = max(far, *values)
        axes.set_yticks(places, [label(content, 24) for content in contents])
        axes.tick_params(axis="y", length=0, labelcolor=colour(INK))
        axes.set_xlabel("Recall@20")
        axes.set_xlim(0, (far or 1.0) * 1.05)
        axes.xaxis.set_major_locator(MaxNLocator(4, min_n_ticks=2))
        grid(axes, "x")
        axes.legend(ncols=2, loc="lower center", bbox_to_anchor=(0.45, 1.0), handlelength=1.0, columnspacing=1.0)

    known = [(content, value(content, "item_cf", True) or value(content, "item_cf", False)) for content in contents]
    says = "Item-CF: " + ", ".join(f"{content} {found:.4f}" for content, found in known if found is not None)
    return Chart("What features find without training", says, draw, 110 + 52 * len(contents), 760)
