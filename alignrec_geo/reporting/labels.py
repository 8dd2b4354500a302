"""Names beside points, where they cover neither each other nor a point."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from alignrec_geo.reporting.charts import settle

ANGLES = (0, 180, 90, 270, 45, 135, 315, 225)
"""Where a name may stand around its point, in degrees, the best first."""
DISTANCES = (7, 12, 20, 30, 42, 56, 72, 90)
MARK = 5.0
"""Half the side of a point, in pixels."""


def name_points(
    axes: Axes, points: Sequence[tuple[float, float]], names: Sequence[str], colours: Sequence[str]
) -> None:
    """Write a name beside every point of settled axes, and a thin line where it stands far off.

    Args:
        axes: with their final limits and scales.
        points: in data.
        names: as matplotlib takes them.
        colours: of the names.
    """
    settle(axes)
    frame = axes.get_window_extent()
    centres = [tuple(axes.transData.transform(point)) for point in points]
    taken = [_box(x, y, 2 * MARK, 2 * MARK) for x, y in centres]
    # what stands in the thickest crowd is placed first
    crowd = [sum(math.dist(one, other) < 60 for other in centres) for one in centres]
    for row in sorted(range(len(points)), key=lambda row: -crowd[row]):
        text = axes.annotate(names[row], points[row], xytext=(0, 0), textcoords="offset pixels", color=colours[row])
        size = text.get_window_extent()
        x, y = centres[row]
        best = None
        for distance in DISTANCES:
            for angle in ANGLES:
                dx, dy = _offset(distance, angle, size.width, size.height)
                box = _box(x + dx, y + dy, size.width + 4, size.height + 1)
                if _inside(box, frame) and not any(box.overlaps(other) for other in taken):
                    best = dx, dy, distance, box
                    break
            if best:
                break
        dx, dy, distance, box = best or (0.0, 10.0, 0, _box(x, y + 10, size.width, size.height))
        taken.append(box)
        text.remove()
        line = {"arrowstyle": "-", "color": colours[row], "linewidth": 0.6, "shrinkA": 0, "shrinkB": 4}
        axes.annotate(
            names[row], points[row], xytext=(dx, dy), textcoords="offset pixels", color=colours[row], ha="center",
            va="center", arrowprops=line if distance > DISTANCES[1] else None,
        )  # fmt: skip


def _offset(distance: float, angle: float, width: float, height: float) -> tuple[float, float]:
    """The middle of a text whose edge is so far from its point."""
    x, y = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return x * (distance + width / 2), y * (distance + height / 2)


def _box(x: float, y: float, width: float, height: float) -> Bbox:
    return Bbox.from_bounds(x - width / 2, y - height / 2, width, height)


def _inside(box: Bbox, frame: Bbox) -> bool:
    return bool(box.x0 >= frame.x0 and box.x1 <= frame.x1 and box.y0 >= frame.y0 and box.y1 <= frame.y1)
