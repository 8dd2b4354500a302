"""Images, folders and archives of images, archives of downloads."""

import io
import tarfile
import zipfile
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from alignrec_geo.content.beit3.images import read_image, sizes_for
from alignrec_geo.content.tokens.image_tokens import prepare_image
from alignrec_geo.dataset.images import ImageSource, store_images
from alignrec_geo.dataset.unpack import unpack
from alignrec_geo.errors import InputError
from alignrec_geo.image_files import broken_image
from tests.fuzz.inputs import Input
from tests.fuzz.target import Target, Wrong, only

FORMATS = (
    ("png", "RGB"), ("png", "RGBA"), ("png", "P"), ("png", "I;16"), ("png", "LA"), ("png", "1"), ("jpg", "RGB"),
    ("jpg", "CMYK"), ("jpg", "L"), ("gif", "P"),
    ("webp", "RGBA"), ("bmp", "RGB"), ("tiff", "RGB"), ("tiff", "F"), ("tiff", "I;16"), ("ico", "RGBA"), ("avif",
    "RGB"),
)  # fmt: skip
ENDED = ("zip", "tar", "tar.gz", "tar.xz", "tar.bz2")


def small_image(suffix: str, mode: str, size: int = 12) -> bytes | None:
    """A small image, ``None`` if Pillow cannot write it here."""
    pixels = np.arange(size * size * 3, dtype=np.uint32).reshape(size, size, 3).astype(np.uint8)
    image = Image.fromarray(pixels)
    image = Image.fromarray(pixels[:, :, 0].astype(np.uint16) * 257) if mode == "I;16" else image.convert(mode)
    sink = io.BytesIO()
    try:
        if suffix == "gif":
            image.save(sink, "GIF", save_all=True, append_images=[image.rotate(90)], duration=10)
        else:
            image.save(sink, {"jpg": "JPEG", "tiff": "TIFF"}.get(suffix, suffix.upper()))
    except (OSError, KeyError, ValueError):
        return None
    return sink.getvalue()


def image_seeds(_: Path) -> list[Input]:
    """Every format and mode that Pillow writes here."""
    made = [(f"p.{suffix}", small_image(suffix, mode)) for suffix, mode in FORMATS]
    turned, sink = Image.new("RGB", (6, 9), (1, 2, 3)), io.BytesIO()
    exif = turned.getexif()
    exif[274] = 6
    turned.save(sink, "JPEG", exif=exif, icc_profile=b"\x00" * 200, progressive=True)
    return [*({name: content} for name, content in made if content is not None), {"p.jpg": sink.getvalue()}]


class _Prepares:
    """An encoder that only prepares images, as the one of a transformers folder does."""

    def __init__(self) -> None:
        from alignrec_geo.content.encoders.vision import TransformerImageEncoder

        self._encoder = object.__new__(TransformerImageEncoder)
        self._encoder._side = 16

    def prepare(self, given: Image.Image) -> np.ndarray:
        return self._encoder.prepare(given)


def read_any_image(folder: Path, out: Path, rng: Random) -> None:
    """Import's check, and the preparation of the encoders."""
    file = only(folder)
    content = file.read_bytes() if file.is_file() and file.stat().st_size < 1 << 24 else b""
    broken = broken_image(content)
    prepared = prepare_image(_Prepares(), file)  # type: ignore[arg-type]
    decoded = read_image(file, 16)
    sizes_for([file])
    for made in (prepared, decoded):
        if not isinstance(made, str) and (made.shape != (16, 16, 3) or made.dtype != np.uint8):
            raise Wrong(f"a prepared image of shape {made.shape}")
    if isinstance(prepared, str) != isinstance(decoded, str):
        raise Wrong(f"one encoder reads it, the other does not ({prepared if isinstance(prepared, str) else decoded})")
    if broken is not None:
        raise InputError(broken)


def _packed(kind: str, members: dict[str, bytes]) -> bytes:
    sink = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as opened:
            for name, content in members.items():
                opened.writestr(zipfile.ZipInfo(name), content)
        return sink.getvalue()
    with tarfile.open(fileobj=sink, mode="w:" + kind.removeprefix("tar").removeprefix(".")) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    made = sink.getvalue()
    return made[:4] + b"\x00" * 4 + made[8:] if kind == "tar.gz" else made  # gzip's time of day


def photo_seeds(_: Path) -> list[Input]:
    """A folder (with a folder in it), and archives, of three images."""
    photos = {
        f"{name}.{suffix}": small_image(suffix, "RGB") or b""
        for name, suffix in (("mug", "png"), ("pen", "jpg"), ("a/cup", "bmp"))
    }
    return [
        {f"in/{name}": content for name, content in photos.items()},
        *({f"photos.{kind}": _packed(kind, photos)} for kind in ENDED),
    ]


def store_photos(folder: Path, out: Path, rng: Random) -> None:
    """``data import … --images``."""
    names, _ = store_images(ImageSource(only(folder)), ["mug", "pen", "cup", "..", "x"], out / "images")
    written = {file.name for file in (out / "images").rglob("*")} if (out / "images").exists() else set()
    if written != {name for name in names if name is not None}:
        raise Wrong("other files were written than named")
    for name in filter(None, names):
        if broken_image((out / "images" / name).read_bytes()) is not None:
            raise Wrong("a broken image was stored")


def archive_seeds(_: Path) -> list[Input]:
    """Archives of a download."""
    members = {"ml/u.data": b"1\t2\t3\t4\n" * 20, "ml/u.item": b"x" * 200, "README": b""}
    return [{f"d.{kind}": _packed(kind, members)} for kind in ENDED]


def unpack_archive(folder: Path, out: Path, rng: Random) -> None:
    """``data fetch``."""
    written = unpack(only(folder), out / "raw")
    for file in written:
        if not file.is_file() or file.is_symlink() or not file.resolve().is_relative_to((out / "raw").resolve()):
            raise Wrong(f"unpacked to {file}")


TARGETS = (
    Target("image", 7_500, image_seeds, read_any_image, noise="JPEGLib: "),  # libtiff prints from C
    Target("photos", 6_000, photo_seeds, store_photos, noise="JPEGLib: "),
    Target("unpack", 6_000, archive_seeds, unpack_archive),
)
