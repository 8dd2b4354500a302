"""The charts of what scores are made of: identity and content."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from alignrec_geo.reporting.charts import Chart, grid
from alignrec_geo.reporting.look import CONTENT, IDENTITY, INK, PALE, SOFT, colour
from alignrec_geo.reporting.score_parts import IDENTITY as OF_IDENTITY


def by_branch(names: Sequence[str], parts: NDArray[np.float64], exact: bool) -> Chart:
    """The mean of every part of the scores of what is recommended, as bars.

    Args:
        names: of the parts.
        parts: ``[n, P]``, one row per recommended item.
        exact: whether the parts are exact.
    """
    means = parts.mean(axis=0)
    shown = [(name, float(mean)) for name, mean in zip(names, means, strict=True) if abs(mean) >= 5e-5]
    total = float(means.sum())

    def draw(axes: Axes) -> None:
        places = np.arange(len(shown))[::-1]
        colours = [
            colour(IDENTITY if name == names[0] else PALE if name == names[-1] else CONTENT) for name, _ in shown
        ]
        axes.barh(places, [mean for _, mean in shown], 0.6, color=colours)
        axes.set_yticks(places, [_words(name) for name, _ in shown])
        _finish(axes, [mean for _, mean in shown])
        for place, (_, mean) in zip(places, shown, strict=True):
            share = f" ({100 * mean / total:.0f} %)" if total > 0 else ""
            text = f"{mean:.3g}{share}".replace("-", "−")
            side = 5 if mean >= 0 else -5
            axes.annotate(
                text, (mean, place), xytext=(side, 0), textcoords="offset points", va="center",
                ha="left" if mean >= 0 else "right",
            )  # fmt: skip

    said = ", ".join(f"{name} {mean:.3f}" for name, mean in shown)
    how = "The parts are exact." if exact else "The parts are a first-order approximation."
    note = f"Mean over the ten best items of users of the test split. {how}"
    return Chart("What scores of recommended items are made of", said, draw, 74 + 38 * len(shown), 620, note=note)


def _words(name: str) -> str:
    user, _, item = name.partition("-")
    return f"user's {user}\n× item's {item}" if item else "biases and rest"


def by_popularity(parts: NDArray[np.float64], group: NDArray[np.int8], names: Sequence[str]) -> Chart:
    """Identity and content in the scores of recommended items, by the items' popularity.

    Args:
        parts: ``[n, P]``, one row per recommended item.
        group: which group the item is of, ``[n]``.
        names: of the groups.
    """
    rows = [(name, parts[group == number]) for number, name in enumerate(names)]
    means = [
        (name, own[:, OF_IDENTITY].mean(), own[:, 1:-1].sum(axis=1).mean(), len(own)) for name, own in rows if len(own)
    ]

    def draw(axes: Axes) -> None:
        places = np.arange(len(means))[::-1]
        for shift, which, kind in ((0.2, 1, IDENTITY), (-0.2, 2, CONTENT)):
            values = [float(row[which]) for row in means]
            axes.barh(places + shift, values, 0.36, color=colour(kind))
            for place, value in zip(places, values, strict=True):
                side = 5 if value >= 0 else -5
                axes.annotate(
                    f"{value:.3g}".replace("-", "−"), (value, place + shift), xytext=(side, 0),
                    textcoords="offset points", va="center", ha="left" if value >= 0 else "right",
                )  # fmt: skip
        axes.set_yticks(places, [f"{name} ({100 * count / len(parts):.0f} %)" for name, _, _, count in means])
        _finish(axes, [float(value) for row in means for value in row[1:3]])

    said = "; ".join(f"{name}: identity {own:.2f}, content {other:.2f}" for name, own, other, _ in means)
    note = "Mean parts of the same scores; in brackets, how many of the recommended items are of the group."
    return Chart("Identity and content by the items' popularity", said, draw, 74 + 46 * len(means), 560, note=note)


def _finish(axes: Axes, values: Sequence[float]) -> None:
    """Axes of bars that may go to both sides, with room for what is written at their ends."""
    axes.tick_params(axis="y", length=0, labelcolor=colour(INK))
    axes.axvline(0, color=colour(SOFT), linewidth=1)
    axes.set_xlabel("mean part of a score")
    axes.xaxis.set_major_locator(MaxNLocator(3, min_n_ticks=2))
    axes.xaxis.set_major_formatter("{x:.3g}")
    grid(axes, "x")
    low, high = min(0.0, *values), max(0.0, *values)
    span = (high - low) or 1.0
    axes.set_xlim(low - (0.35 * span if low < 0 else 0), high + 0.35 * span)
