"""Boxes and arrows as SVG, in the colours of the reports, readable on light and dark paper."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import escape

from alignrec_geo.reporting.charts import svg_element, svg_file

LINE = 17
"""Pixels from one line of text to the next."""
HEAD = 10
"""Length of an arrow's head, and the gap that a line leaves for it."""


class Box(NamedTuple):
    """A box with a title and lines of text under it.

    Args:
        x: of its left side, in pixels.
        y: of its upper side.
        width: in pixels.
        height: in pixels.
        title: bold.
        lines: what it holds or does.
        kind: ``accent`` for what is learned, ``""`` for what is stored.
    """

    x: float
    y: float
    width: float
    height: float
    title: str
    lines: Sequence[str] = ()
    kind: str = ""

    @property
    def middle(self) -> tuple[float, float]:
        """Its centre."""
        return self.x + self.width / 2, self.y + self.height / 2


class Sheet:
    """What a diagram is drawn on.

    Args:
        width: in CSS pixels.
        height: in CSS pixels.
    """

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.parts: list[str] = []

    def box(self, box: Box) -> Box:
        """Draw a box."""
        stroke = "var(--accent)" if box.kind else "var(--pale)"
        self.parts.append(
            f'<rect x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}" rx="8" '
            f'fill="var(--panel)" stroke="{stroke}" stroke-width="1.5"/>'
        )
        x, y = box.middle
        top = y - LINE * len(box.lines) / 2 + 4.5
        self.text(x, top, box.title, weight=650)
        for number, line in enumerate(box.lines, 1):
            self.text(x, top + LINE * number, line, "soft", 12)
        return box

    def text(
        self,
        x: float,
        y: float,
        words: str,
        ink: str = "ink",
        size: float = 13,
        anchor: str = "middle",
        weight: int = 400,
    ) -> None:
        """Write a line, its baseline at ``y``."""
        self.parts.append(
            f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" '
            f'style="font-size: {size:g}px; font-weight: {weight}; fill: var(--{ink})">{escape(words)}</text>'
        )

    def arrow(self, *points: tuple[float, float], dashed: bool = False) -> None:
        """Draw a line through points with a head at the last one."""
        (x0, y0), (x1, y1) = points[-2:]
        length = max(abs(x1 - x0), abs(y1 - y0))
        ux, uy = (x1 - x0) / length, (y1 - y0) / length
        path = " ".join(f"{x:g},{y:g}" for x, y in [*points[:-1], (x1 - ux * HEAD, y1 - uy * HEAD)])
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        side = HEAD / 2
        corners = ((x1, y1), (x1 - ux * HEAD - uy * side, y1 - uy * HEAD + ux * side),
                   (x1 - ux * HEAD + uy * side, y1 - uy * HEAD - ux * side))  # fmt: skip
        self.parts.append(
            f'<polyline points="{path}" fill="none" stroke="var(--soft)" stroke-width="1.5"{dash}/>'
            f'<polygon points="{" ".join(f"{x:g},{y:g}" for x, y in corners)}" fill="var(--soft)"/>'
        )

    def cells(self, x: float, y: float, side: float, words: str, fill: str) -> float:
        """Draw tokens as squares, one per letter of ``words``; ``?`` is a hidden one. Returns where they end."""
        for letter in words:
            hidden = letter == "?"
            self.parts.append(
                f'<rect x="{x:g}" y="{y:g}" width="{side:g}" height="{side:g}" rx="3" stroke="var(--{fill})" '
                f'stroke-width="1.5" fill="{"none" if hidden else f"var(--{fill})"}"'
                f"{' stroke-dasharray=&quot;3 2&quot;'.replace('&quot;', chr(34)) if hidden else ''}/>"
            )
            if hidden:
                self.text(x + side / 2, y + side / 2 + 4.5, "?")
            x += side + 4
        return x


class Diagram(NamedTuple):
    """A diagram in its two forms.

    Args:
        title: its name.
        says: what is to be seen, for those who do not see it.
        wide: for a wide page.
        narrow: for a phone.
    """

    title: str
    says: str
    wide: Sheet
    narrow: Sheet

    def file(self, narrow: bool = False) -> str:
        """An SVG file."""
        sheet = self.narrow if narrow else self.wide
        return svg_file(svg_element(self.title, self.says, sheet.width, sheet.height, "".join(sheet.parts), axes=False))
