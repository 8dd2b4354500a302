"""Images of the generated catalogue: a coloured, patterned shape on a light background."""

import io
from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image, ImageDraw

Primitive = tuple[Literal["ellipse", "rectangle", "polygon"], tuple[float, ...], bool]
"""A form, its coordinates in the unit square, and whether it adds to the shape or cuts out of it."""

KINDS: Mapping[str, tuple[Primitive, ...]] = {
    "mug": (
        ("ellipse", (0.55, 0.25, 1.0, 0.75), True),
        ("ellipse", (0.67, 0.37, 0.88, 0.63), False),
        ("rectangle", (0.1, 0.1, 0.7, 0.9), True),
    ),
    "lamp": (
        ("polygon", (0.3, 0.05, 0.7, 0.05, 0.95, 0.5, 0.05, 0.5), True),
        ("rectangle", (0.45, 0.5, 0.55, 0.85), True),
        ("rectangle", (0.25, 0.85, 0.75, 0.97), True),
    ),
    "chair": (
        ("rectangle", (0.15, 0.0, 0.35, 1.0), True),
        ("rectangle", (0.15, 0.45, 0.9, 0.62), True),
        ("rectangle", (0.72, 0.45, 0.9, 1.0), True),
    ),
    "clock": (
        ("ellipse", (0.02, 0.02, 0.98, 0.98), True),
        ("rectangle", (0.46, 0.15, 0.54, 0.54), False),
        ("rectangle", (0.46, 0.46, 0.78, 0.54), False),
    ),
    "kite": (
        ("polygon", (0.5, 0.0, 0.92, 0.35, 0.5, 0.8, 0.08, 0.35), True),
        ("polygon", (0.5, 0.74, 0.72, 1.0, 0.28, 1.0), True),
    ),
    "vase": (
        (
            "polygon",
            (0.3, 0.0, 0.7, 0.0, 0.62, 0.22, 0.92, 0.6, 0.7, 1.0, 0.3, 1.0, 0.08, 0.6, 0.38, 0.22),
            True,
        ),
    ),
    "bag": (
        ("ellipse", (0.25, 0.0, 0.75, 0.6), True),
        ("ellipse", (0.36, 0.12, 0.64, 0.5), False),
        ("rectangle", (0.05, 0.35, 0.95, 1.0), True),
    ),
    "bowl": (
        ("ellipse", (0.0, -0.1, 1.0, 0.9), True),
        ("rectangle", (0.0, -0.1, 1.0, 0.4), False),
        ("rectangle", (0.3, 0.85, 0.7, 0.97), True),
    ),
    "birdhouse": (
        ("polygon", (0.5, 0.0, 1.0, 0.42, 0.0, 0.42), True),
        ("rectangle", (0.15, 0.42, 0.85, 1.0), True),
        ("ellipse", (0.36, 0.54, 0.64, 0.82), False),
    ),
    "umbrella": (
        ("ellipse", (0.0, 0.02, 1.0, 1.02), True),
        ("rectangle", (0.0, 0.52, 1.0, 1.05), False),
        ("rectangle", (0.46, 0.45, 0.54, 1.0), True),
    ),
}
"""The shape of every kind of thing, drawn in this order."""

COLOURS: Mapping[str, tuple[int, int, int]] = {
    "red": (220, 30, 30),
    "orange": (235, 125, 20),
    "yellow": (235, 210, 30),
    "lime": (155, 220, 35),
    "green": (30, 160, 60),
    "turquoise": (30, 185, 170),
    "sky": (60, 165, 235),
    "blue": (40, 60, 215),
    "purple": (145, 45, 205),
    "pink": (240, 75, 175),
}
"""Colours of the things; never written in a caption."""

PATTERNS = ("plain", "stripes", "dots", "checks")
"""Patterns of the things; never written in a caption."""


class Look(NamedTuple):
    """What one image shows, and the small differences that keep any two images apart.

    Args:
        kind: key of :data:`KINDS`.
        colour: key of :data:`COLOURS`.
        pattern: one of :data:`PATTERNS`.
        jitter: seven numbers in ``[0, 1)``: size, left, top, shade and the three channels of the background.
    """

    kind: str
    colour: str
    pattern: str
    jitter: tuple[float, ...]


def draw(look: Look, size: int) -> bytes:
    """Return the image as PNG, ``size`` pixels wide and high.

    Example:
        >>> image = draw(Look("mug", "red", "dots", (0.5,) * 7), size=32)
        >>> image[:4]
        b'\\x89PNG'
    """
    extent, left, top, shade, *background = look.jitter
    tint = tuple(int(222 + 33 * channel) for channel in background)
    image = Image.new("RGB", (size, size), tint)
    side = size * (0.72 + 0.2 * extent)
    corner = (left * (size - side), top * (size - side))
    image.paste(_texture(look, size, 0.82 + 0.18 * shade), mask=_shape(look.kind, size, corner, side))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def _shape(kind: str, size: int, corner: tuple[float, float], side: float) -> Image.Image:
    mask = Image.new("L", (size, size), 0)
    pen = ImageDraw.Draw(mask)
    for form, unit, adds in KINDS[kind]:
        points = [corner[axis % 2] + side * value for axis, value in enumerate(unit)]
        getattr(pen, form)(points, fill=255 if adds else 0)
    return mask


def _texture(look: Look, size: int, shade: float) -> Image.Image:
    """The colour with its pattern in a darker tone of the same colour."""
    colour = np.array(COLOURS[look.colour], dtype=np.float64) * shade
    rows, columns = np.mgrid[0:size, 0:size]
    step = max(size // 8, 2)
    if look.pattern == "stripes":
        dark = (rows // (step // 2 or 1)) % 2 == 1
    elif look.pattern == "dots":
        dark = (rows % step - step / 2 + 0.5) ** 2 + (columns % step - step / 2 + 0.5) ** 2 < (step / 3) ** 2
    elif look.pattern == "checks":
        dark = (rows // step + columns // step) % 2 == 1
    else:
        dark = np.zeros((size, size), dtype=np.bool_)
    pixels = np.where(dark[..., None], colour * 0.55, colour)  # [S, S, 3]
    return Image.fromarray(pixels.astype(np.uint8))
