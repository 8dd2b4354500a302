"""Small images inside a page."""

import base64
from pathlib import Path

from alignrec_geo.image_files import read_image
from alignrec_geo.image_files import thumbnail as as_jpeg

SIDE = 160
"""Pixels of the longer side of an image on a page: twice what is shown, for dense screens."""


def thumbnail(file: Path | None, side: int = SIDE) -> str | None:
    """A small JPEG as a ``data:`` address; ``None`` where there is no image that can be read.

    Args:
        file: the image.
        side: pixels of its longer side; smaller images stay as they are.
    """
    if file is None:
        return None
    small = read_image(file, lambda image: as_jpeg(image, side))
    return None if isinstance(small, str) else f"data:image/jpeg;base64,{base64.b64encode(small).decode()}"
