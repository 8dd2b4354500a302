"""How everything that is reported looks: colours that tell apart for every kind of eye, on light and on dark paper.

Pages take the colours as CSS variables (``style.css``), figures as the light values below, which
:mod:`alignrec_geo.reporting.charts` turns into those variables. The series are the colours of Okabe and Ito
(https://jfly.uni-koeln.de/color/), darkened for light paper and lightened for dark paper.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

PAPER, PANEL, INK, SOFT, LINE = "paper", "panel", "ink", "soft", "line"
ACCENT, OTHER, PALE = "accent", "other", "pale"
IDENTITY, CONTENT = "identity", "content"

LIGHT: dict[str, str] = {
    PAPER: "#ffffff",
    PANEL: "#f5f6f8",
    INK: "#1a222d",
    SOFT: "#525d6c",
    LINE: "#d7dce3",
    ACCENT: "#c2410c",
    OTHER: "#4a6a8f",
    PALE: "#a9b4c2",
    IDENTITY: "#2364aa",
    CONTENT: "#d0560d",
    "series-1": "#0b6cb0",
    "series-2": "#cc5700",
    "series-3": "#00805c",
    "series-4": "#a3508f",
    "series-5": "#8a6400",
    "series-6": "#2f8cbf",
    "series-7": "#5d5d66",
    "series-8": "#7a4a2b",
}
"""Colours on light paper."""

DARK: dict[str, str] = {
    PAPER: "#11161d",
    PANEL: "#1a212b",
    INK: "#e8ecf2",
    SOFT: "#a8b3c1",
    LINE: "#323c4a",
    ACCENT: "#ff9a62",
    OTHER: "#8fb0d6",
    PALE: "#56616f",
    IDENTITY: "#7fb6f0",
    CONTENT: "#ffa766",
    "series-1": "#6db4ec",
    "series-2": "#ffa25c",
    "series-3": "#4cc9a0",
    "series-4": "#dfa3d3",
    "series-5": "#e3bd4b",
    "series-6": "#9bd5f5",
    "series-7": "#b9bec8",
    "series-8": "#d3a585",
}
"""The same on dark paper."""

SERIES = tuple(name for name in LIGHT if name.startswith("series-"))
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"
SIZE = 12.0
"""Of the text in figures, in CSS pixels."""


def colour(name: str) -> str:
    """The value of a colour in figures.

    Example:
        >>> colour(ACCENT)
        '#c2410c'
    """
    return LIGHT[name]


def series(number: int) -> str:
    """The colour of the ``number``-th of several equal things; after eight they begin again."""
    return LIGHT[SERIES[number % len(SERIES)]]


def variables(values: Mapping[str, str]) -> str:
    """Colours as CSS declarations.

    Example:
        >>> variables({"ink": "#000000"})
        '--ink: #000000;'
    """
    return " ".join(f"--{name}: {value};" for name, value in values.items())


@contextmanager
def figure_style() -> Iterator[None]:
    """Draw with matplotlib as all figures are drawn; nothing global stays changed."""
    import matplotlib as mpl

    style: dict[str, Any] = {
        "font.size": SIZE,
        "axes.labelsize": SIZE,
        "axes.titlesize": SIZE,
        "xtick.labelsize": SIZE,
        "ytick.labelsize": SIZE,
        "legend.fontsize": SIZE,
        "legend.frameon": False,
        "text.color": LIGHT[INK],
        "axes.labelcolor": LIGHT[SOFT],
        "axes.edgecolor": LIGHT[LINE],
        "axes.facecolor": "none",
        "figure.facecolor": "none",
        "savefig.facecolor": "none",
        "xtick.color": LIGHT[LINE],
        "ytick.color": LIGHT[LINE],
        "xtick.labelcolor": LIGHT[SOFT],
        "ytick.labelcolor": LIGHT[SOFT],
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": False,
        "grid.color": LIGHT[LINE],
        "grid.linewidth": 0.8,
        "axes.axisbelow": True,
        "lines.linewidth": 2.0,
        "lines.solid_capstyle": "round",
        "svg.fonttype": "none",  # text stays text: it is in the reader's font, can be found, and is small
    }
    with mpl.rc_context(style):  # type: ignore[arg-type]  # the stubs list every name
        yield
