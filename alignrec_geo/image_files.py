"""Images of strangers: which files are read, and how each becomes what a person sees, as 8-bit RGB."""

import io
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from alignrec_geo.limits import limit, over_limit
from alignrec_geo.reading import check_plain_file, first_line

logging.getLogger("PIL").addHandler(logging.NullHandler())  # else what it says of damaged files goes to the terminal

Prepared = TypeVar("Prepared")

_FORMATS = (
    *("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "AVIF", "HEIF", "JPEG2000", "MPO", "PPM"),
    *("TGA", "ICO", "PCX", "QOI", "JPEGXL"),
)
"""Formats of photographs. Left out is what Pillow hands to other programs (EPS to Ghostscript), and rare ones."""

_ORIENTATION = 0x0112
_THIN = 100
_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")


@cache
def formats() -> tuple[str, ...]:
    """The formats that the installed Pillow reads; some depend on how it was built, or on plugins."""
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


@cache
def suffixes() -> frozenset[str]:
    """The suffixes of those formats, in lower case.

    Example:
        >>> {".jpg", ".jfif", ".png", ".webp", ".tiff", ".bmp"} <= suffixes(), ".eps" in suffixes()
        (True, False)
    """
    return frozenset(suffix for suffix, name in Image.registered_extensions().items() if name in (*formats(), "MPO"))


def read_rgb(source: Path | bytes) -> Image.Image | str:
    """The image of a file (or of its bytes) as :func:`as_rgb` gives it, or why it cannot be read, on one line."""
    return read_image(source, as_rgb)


def read_image(source: Path | bytes, prepare: Callable[[Image.Image], Prepared]) -> Prepared | str:
    """What ``prepare`` makes of the image of a file (or of its bytes), or why it cannot be read, on one line."""
    limit("image_pixels")  # a wrong ALIGNREC_LIMITS is no fault of the image
    try:
        with _opened(source) as image:
            return prepare(image)
    except Exception as error:  # decoders raise anything
        return _why(error)


def image_size(source: Path | bytes) -> tuple[int, int] | None:
    """Width and height as a person sees the image, from its header alone; ``None`` if that cannot be read."""
    try:
        with _opened(source) as image:
            width, height = image.size
            return (height, width) if _turn_in_header(image) in (5, 6, 7, 8) else (width, height)
    except Exception:
        return None


def broken_image(content: bytes) -> str | None:
    """Return why ``content`` cannot be decoded as an image, or ``None`` if it can."""
    limit("image_pixels")
    try:
        with _opened(content) as image:
            image.load()
    except Exception as error:
        return _why(error)
    return None


def needs_conversion(content: bytes) -> bool:
    """Whether :func:`as_rgb` says something else of an image than ``convert("RGB")``; a broken one needs nothing."""
    try:
        with _opened(content) as image:
            deep = image.mode.startswith("I") or image.mode in ("F", *_ALPHA)
            return deep or image.has_transparency_data or _turn_in_header(image) in _TURNS
    except Exception:
        return False


def as_rgb(image: Image.Image) -> Image.Image:
    """An image as a person sees it: its first frame in 8-bit RGB.

    It is turned as its EXIF data say; 16-bit, 32-bit and float values are scaled, not cut off at 255; what is
    transparent shows white; CMYK becomes RGB. A plain 8-bit image gives exactly ``image.convert("RGB")``.

    Raises:
        InputError: it has more pixels than the limit ``image_pixels``.

    Example:
        >>> as_rgb(Image.new("LA", (1, 1), (0, 0))).getpixel((0, 0))
        (255, 255, 255)
    """
    _check_size(image)
    image.load()  # a TIFF file is turned while it is loaded, and says so afterwards
    seen = image
    if image.mode.startswith("I") or image.mode == "F":
        seen = _eight_bits(image)
    elif image.has_transparency_data:
        seen = _on_white(image)
    method = _TURNS.get(_turn(image))
    return seen.convert("RGB") if method is None else seen.convert("RGB").transpose(method)


def thumbnail(image: Image.Image, side: int) -> bytes:
    """A JPEG of an image as a person sees it, made smaller so that neither side has more than ``side`` pixels."""
    seen = as_rgb(image)
    seen.thumbnail((side, side))
    stream = io.BytesIO()
    seen.save(stream, format="JPEG", quality=85)
    return stream.getvalue()


def stretched(image: Image.Image, side: int) -> NDArray[np.uint8]:
    """An image as a person sees it, stretched to a square ``[side, side, 3]``."""
    return np.asarray(as_rgb(image).resize((side, side), Image.Resampling.BICUBIC))


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey values of more than 8 bits, or of floats, brought to 0…255.

    Values from 0 to 65535 lose their lower byte, those from 0 to 255 stay, floats from 0 to 1 are multiplied by 255;
    anything else is stretched from its least to its largest value.
    """
    values: NDArray[Any] = np.asarray(image)
    if image.mode.startswith("I;16") or (image.format in ("PNG", "PPM") and image.mode == "I"):
        grey = np.right_shift(values, 8).clip(0, 255).astype(np.uint8)
    else:
        grey = _scaled(values.astype(np.float64), floats=image.mode == "F")
    key = image.info.get("transparency")
    if isinstance(key, int):
        grey = np.where(values == key, np.uint8(255), grey)
    return Image.fromarray(grey)


def _scaled(values: NDArray[np.float64], floats: bool) -> NDArray[np.uint8]:
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    values = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
    if low < 0 or high > 65535:
        values = (values - low) * (255 / max(high - low, np.finfo(np.float64).tiny))
    elif floats and high <= 1:
        values = values * 255
    elif high > 255:
        values = values / 256
    return values.clip(0, 255).astype(np.uint8)


def _on_white(image: Image.Image) -> Image.Image:
    straight = {"La": "LA", "RGBa": "RGBA"}.get(image.mode)
    try:
        seen = (image if straight is None else image.convert(straight)).convert("RGBA")
    except ValueError:  # a transparent colour that the image's own mode cannot hold
        return image
    return Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen)


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _turn(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged EXIF data turn nothing
        return 1


def _turn_in_header(image: Image.Image) -> int:
    """As :func:`_turn` of an image that is not loaded, without loading it."""
    if image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info):
        return 1
    return _turn(image)


@contextmanager
def _opened(source: Path | bytes) -> Iterator[Image.Image]:
    """Open with the formats above and our own limit of pixels, without Python warnings on a person's screen."""
    pixels = limit("image_pixels")
    before = Image.MAX_IMAGE_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Image.MAX_IMAGE_PIXELS = (pixels + 1) // 2  # Pillow refuses twice this number
        try:
            if isinstance(source, Path) and not source.exists():
                raise FileNotFoundError
            stream = io.BytesIO(source) if isinstance(source, bytes) else _checked(source)
            with Image.open(stream, formats=formats()) as image:
                _check_size(image)
                yield image
        finally:
            Image.MAX_IMAGE_PIXELS = before


def _checked(file: Path) -> Path:
    size = check_plain_file(file, "image").stat().st_size
    if size > limit("image_bytes"):
        raise over_limit("image", f"has {size} bytes", "image_bytes")
    return file


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    if max(width, _THIN) * max(height, _THIN) > limit("image_pixels"):  # a thin line takes as much work to scale
        raise over_limit("image", f"has {width} x {height} pixels", "image_pixels")


def _why(error: Exception) -> str:
    """One line without the address in memory that Pillow puts in its message."""
    if isinstance(error, UnidentifiedImageError):
        return "not an image"
    if isinstance(error, FileNotFoundError):
        return "the file is missing"
    if isinstance(error, Image.DecompressionBombError):
        error = over_limit("image", "has more pixels than are decoded", "image_pixels")
    return first_line(error)
