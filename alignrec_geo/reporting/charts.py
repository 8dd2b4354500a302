"""A chart as SVG that follows its page: colours are CSS variables, text is text, a phone gets a form of its own."""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from alignrec_geo.plain import printable
from alignrec_geo.reporting.look import DARK, FONT, LIGHT, PAPER, figure_style, variables

PIXELS = 72.0
"""Matplotlib's points per inch: a point of a figure is a CSS pixel."""
EDGE = 3.0
"""Pixels around everything in a figure."""
WIDE, NARROW = 680, 340
"""Widths in CSS pixels: where there is room, and on a phone."""


@dataclass(frozen=True)
class Chart:
    """One chart, drawn as often as forms of it are asked for.

    Args:
        title: its caption, and its name for those who do not see it.
        says: what is to be seen, in a sentence, for the same people.
        draw: draws on empty axes.
        height: of the wide form in CSS pixels.
        width: of the wide form.
        narrow_height: of the narrow form; like ``height`` without.
        small: one of several small charts side by side: there is only one form, as wide as a phone.
        note: a sentence under the caption.
    """

    title: str
    says: str
    draw: Callable[[Axes], None]
    height: float = 260
    width: float = WIDE
    narrow_height: float | None = None
    small: bool = False
    note: str = ""

    @cached_property
    def _drawn(self) -> Figure:
        """The form that files have; drawn once."""
        return self.figure(narrow=self.small)

    @cached_property
    def _wide(self) -> str:
        return _body(self._drawn, f"wide {self.title}")

    def figure(self, narrow: bool = False) -> Figure:
        """Draw it."""
        width = NARROW if narrow else self.width
        height = self.narrow_height if narrow and self.narrow_height else self.height
        with figure_style():
            figure = Figure(figsize=(width / PIXELS, height / PIXELS), dpi=PIXELS)
            axes = figure.add_subplot()
            self.draw(axes)
            settle(axes)
        return figure

    def html(self) -> Markup:
        """A ``<figure>`` with the form for a wide page, the form for a phone, and the caption."""
        note = f'<p class="note">{escape(printable(self.note))}</p>' if self.note else ""
        head = f"<figcaption><h3>{escape(printable(self.title))}</h3>{note}</figcaption>"
        if self.small:
            return Markup(f'<figure class="chart small">{head}{self.inline()}</figure>')
        forms = (("wide", False), ("narrow", True))
        shown = "".join(f'<div class="{kind}">{self.inline(narrow)}</div>' for kind, narrow in forms)
        return Markup(f'<figure class="chart" style="max-width: {self.width:.0f}px">{head}{shown}</figure>')

    def inline(self, narrow: bool = False) -> Markup:
        """An ``<svg>`` for a page that declares the colours (``style.css``)."""
        if not narrow:
            return Markup(self._svg(self._drawn, self._wide))
        figure = self.figure(narrow=True)
        return Markup(self._svg(figure, _body(figure, f"narrow {self.title}")))

    def file(self, narrow: bool = False) -> str:
        """An SVG file, which is light or dark as its reader's programs are."""
        return svg_file(self.inline(narrow))

    def png(self) -> bytes:
        """A PNG file on white paper, at 150 dots per inch."""
        stream = io.BytesIO()
        FigureCanvasAgg(self._drawn)
        with figure_style():
            self._drawn.savefig(stream, format="png", dpi=150, facecolor=LIGHT[PAPER])
        return stream.getvalue()

    def _svg(self, figure: Figure, body: str) -> str:
        width, height = (PIXELS * side for side in figure.get_size_inches())
        return svg_element(self.title, self.says, width, height, body)


def svg_element(title: str, says: str, width: float, height: float, body: str, axes: bool = True) -> str:
    """An ``<svg>`` for a page that declares the colours.

    Args:
        title: its name.
        says: what is to be seen, in a sentence.
        width: in CSS pixels.
        height: in CSS pixels.
        body: what is drawn.
        axes: whether it is a chart; a diagram has no axes.
    """
    name, description = (escape(printable(text)) for text in (title, says))
    kind = "" if axes else ' data-no-axes=""'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img"{kind} '
        f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}">'
        f"<title>{name}</title><desc>{description}</desc>{body}</svg>"
    )


def svg_file(element: str) -> str:
    """A file of an ``<svg>``: with the colours and the paper that a page would give it, light or dark."""
    style = (
        f"<style>:root {{ {variables(LIGHT)} font-family: {FONT}; }} "
        f"@media (prefers-color-scheme: dark) {{ :root {{ {variables(DARK)} }} }}</style>"
        f'<rect width="100%" height="100%" fill="var(--{PAPER})"/>'
    )
    head, end, body = element.partition("</desc>")
    return f"{head}{end}{style}{body}"


def settle(axes: Axes) -> None:
    """Give the only axes of a figure all the room that their labels leave; much faster than a layout engine."""
    width, height = axes.figure.bbox.size
    axes.set_position((0.15, 0.15, 0.7, 0.7))
    for _ in range(2 if width < 400 else 1):  # where labels take much of the width, they stand elsewhere afterwards
        inner, outer = axes.get_window_extent(), axes.get_tightbbox()
        assert outer is not None
        left, below = inner.x0 - outer.x0 + EDGE, inner.y0 - outer.y0 + EDGE
        right, above = outer.x1 - inner.x1 + EDGE, outer.y1 - inner.y1 + EDGE
        axes.set_position((left / width, below / height, 1 - (left + right) / width, 1 - (below + above) / height))


def label(text: str, longest: int = 60) -> str:
    """A text that matplotlib draws as it is: a dollar sign would begin a formula.

    Example:
        >>> label("5 $ and more", 8)
        '5 \\\\$ and…'
    """
    shown = printable(text)
    shown = shown if len(shown) <= longest else shown[: longest - 1].rstrip() + "…"
    return shown.replace("$", r"\$")


def plain_numbers(axis: Axis, low: float, high: float) -> None:
    """Write a logarithmic axis with 1, 2, 5, 10, … between two values, and with few enough of them to read."""
    import math

    def steps(subs: tuple[int, ...]) -> list[float]:
        powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
        return [
            sub * 10.0**power for power in powers for sub in subs if low * 0.999 <= sub * 10.0**power <= high * 1.001
        ]

    choices = [steps((1, 2, 5)), steps((1, 3)), steps((1,))]
    ticks = next((found for found in choices if len(found) <= 6), choices[-1][:: max(1, len(choices[-1]) // 5)])
    if len(ticks) < 2:
        ticks = steps(tuple(range(1, 10))) or [low, high]
        ticks = ticks if len(ticks) <= 5 else ticks[:: len(ticks) // 4]
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def grid(axes: Axes, which: str) -> None:
    """Thin lines across, in place of the box and its ticks.

    Args:
        axes: the axes.
        which: ``x`` or ``y``, the axis whose values are read off.
    """
    axes.grid(True, axis=which)  # type: ignore[arg-type]
    axes.tick_params(axis=which, length=0)  # type: ignore[arg-type]
    axes.spines["left" if which == "y" else "bottom"].set_visible(False)


def _body(figure: Figure, salt: str) -> str:
    """What is inside the ``<svg>`` of a figure: small, with variables for colours."""
    import matplotlib as mpl

    stream = io.StringIO()
    with figure_style(), mpl.rc_context({"svg.hashsalt": f"alignrec_geo {salt}"}):
        FigureCanvasSVG(figure).print_svg(stream)  # type: ignore[no-untyped-call]  # savefig would draw everything twice
    text = stream.getvalue()
    body = text[text.index(">", text.index("<svg")) + 1 : text.rindex("</svg>")]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'id="matplotlib\.axis_(\d+)"', r'class="axis"', body)
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', body))
    body = re.sub(r' id="([^"]+)"', lambda found: found.group() if found.group(1) in used else "", body)
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", body, flags=re.DOTALL)
    body = re.sub(r"<[^>]+>", _shortened, body)
    return re.sub(r">\s+<", "><", body.strip())


def _shortened(tag: re.Match[str]) -> str:
    """A tag with colours as variables, coordinates to a hundredth of a pixel, and the page's own font."""
    text = re.sub(r"\s+", " ", tag.group())
    text = re.sub(r'font: ((?:[a-z]+ |\d{3} )*)([\d.]+px)[^;"]*', _font, text)
    text = re.sub(r"(?<=[ \"])font-family: [^;\"]*(; )?", "", text)
    text = re.sub(r' transform="rotate\(-0 [^"]*"', "", text)
    text = re.sub(r"-?\d+\.\d{3,}", lambda found: f"{float(found.group()):.2f}".rstrip("0").rstrip("."), text)
    return re.sub(r"#[0-9a-f]{6}\b", lambda found: _VARIABLES.get(found.group(), found.group()), text)


def _font(found: re.Match[str]) -> str:
    weight = re.search(r"\d{3}|bold", found.group(1))
    return f"font-size: {found.group(2)}" + (f"; font-weight: {weight.group()}" if weight else "")


_VARIABLES: dict[str, Any] = {value: f"var(--{name})" for name, value in LIGHT.items()}
