"""Every image reaches the encoders as a person sees it, and no image ends anything."""

import io
import logging
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from alignrec_geo import image_files
from alignrec_geo.errors import InputError
from alignrec_geo.image_files import as_rgb, broken_image, image_size, needs_conversion, read_rgb, suffixes

GREYS = np.arange(256, dtype=np.uint8)
WHITE, GREY, RED = (255, 255, 255), (127, 127, 127), (255, 0, 0)


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def seen(content: bytes) -> Image.Image:
    found = read_rgb(content)
    assert isinstance(found, Image.Image), found
    assert found.mode == "RGB"
    return found


def ramp() -> NDArray[np.uint16]:
    return np.tile(GREYS.astype(np.uint16) * 257, (4, 1))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_are_scaled(kind: str) -> None:
    content = saved(Image.fromarray(ramp()), kind)
    assert (np.asarray(seen(content)) == GREYS[None, :, None]).all()
    assert needs_conversion(content)


@pytest.mark.parametrize(
    "image",
    [
        Image.frombytes("I;16B", (256, 4), ramp().astype(">u2").tobytes()),
        Image.fromarray(ramp().astype(np.int32)),
        Image.fromarray(np.tile(GREYS, (4, 1)).astype(np.int32)),
        Image.fromarray(ramp().astype(np.float32)),
        Image.fromarray(np.tile(GREYS, (4, 1)).astype(np.float32)),
        Image.fromarray(np.tile((GREYS + 0.5) / 256, (4, 1)).astype(np.float32)),
        Image.fromarray(np.tile(GREYS * 1000.0 - 5, (4, 1)).astype(np.float32)),
    ],
    ids=["big-endian", "int 16", "int 8", "float 16", "float 8", "float 0-1", "float stretched"],
)
def test_wide_values_of_any_kind_are_scaled(image: Image.Image) -> None:
    found = np.asarray(as_rgb(image)).astype(int)
    assert np.abs(found - GREYS[None, :, None]).max() <= 1


def test_values_that_are_no_numbers_are_black() -> None:
    values = np.array([[np.nan, 0.0, 1.0, np.inf]], dtype=np.float32)
    assert np.asarray(as_rgb(Image.fromarray(values)))[0, :, 0].tolist() == [0, 0, 255, 255]


def _palette() -> Image.Image:
    image = Image.new("P", (2, 2), 0)
    image.putpalette([0, 0, 0, 9, 9, 9])
    return image


@pytest.mark.parametrize(
    ("content", "colour"),
    [
        (saved(Image.new("RGBA", (2, 2), (255, 0, 0, 0))), WHITE),
        (saved(Image.new("RGBA", (2, 2), (255, 0, 0, 255))), RED),
        (saved(Image.new("LA", (2, 2), (0, 128))), GREY),
        (saved(_palette(), transparency=0), WHITE),
        (saved(_palette(), transparency=bytes([128])), GREY),
        (saved(_palette(), "GIF", transparency=0), WHITE),
        (saved(Image.new("1", (2, 2)), transparency=0), WHITE),
        (saved(Image.new("L", (2, 2)), transparency=0), WHITE),
        (saved(Image.new("RGB", (2, 2), RED), transparency=RED), WHITE),
        (saved(Image.fromarray(np.full((2, 2), 300, dtype=np.uint16)), transparency=300), WHITE),
        (saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG"), RED),
        (saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF"), RED),
        (saved(Image.new("1", (2, 2), 1)), WHITE),
    ],
)
def test_transparency_is_white_and_inks_are_colours(content: bytes, colour: tuple[int, int, int]) -> None:
    assert seen(content).getpixel((0, 0)) == colour


@pytest.mark.parametrize("mode", ["La", "RGBa", "PA", "YCbCr", "LAB", "HSV", "RGBX"])
def test_other_modes_become_rgb(mode: str) -> None:
    source = {"La": "LA", "RGBa": "RGBA", "PA": "RGBA"}.get(mode)
    image = Image.new(source or mode, (2, 2)) if source is None else Image.new(source, (2, 2)).convert(mode)
    assert as_rgb(image).mode == "RGB"


def test_the_first_frame_of_an_animation_is_taken() -> None:
    frames = [Image.new("RGB", (2, 2), colour) for colour in ((255, 0, 0), (0, 255, 0))]
    for kind in ("GIF", "PNG", "WEBP"):
        content = saved(frames[0], kind, save_all=True, append_images=frames[1:], lossless=True)
        assert seen(content).getpixel((0, 0)) == RED


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_images_are_turned_as_their_exif_data_say(kind: str, turn: int) -> None:
    upright = np.arange(24, dtype=np.uint8).reshape(2, 4, 3) * 10
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: upright.transpose(1, 0, 2)[::-1],
        7: upright.transpose(1, 0, 2)[::-1, ::-1],
        8: upright.transpose(1, 0, 2)[:, ::-1],
    }[turn]
    exif = Image.Exif()
    exif[0x0112] = turn
    content = saved(Image.fromarray(np.ascontiguousarray(stored)), kind, exif=exif.tobytes(), lossless=True)
    assert (np.asarray(seen(content)) == upright).all()
    assert image_size(content) == (4, 2)


@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
def test_plain_images_stay_as_they_were(mode: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    content = saved(Image.fromarray(noise).convert(mode))
    assert (np.asarray(seen(content)) == np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))).all()
    assert not needs_conversion(content)


def _declared(width: int, height: int) -> bytes:
    """A PNG file that says it is large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    )


def test_a_pixel_bomb_is_refused_by_its_header_and_the_limit_can_be_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    for content in (_declared(60_000, 60_000), _declared(2**31 - 1, 2**31 - 1), _declared(190_000_000, 1)):
        assert "raise it with ALIGNREC_LIMITS=image_pixels=NUMBER" in str(read_rgb(content))
        assert "limit is 200000000" in str(broken_image(content))
    monkeypatch.setenv("ALIGNREC_LIMITS", "image_pixels=10000")
    assert isinstance(read_rgb(saved(Image.new("L", (100, 100)))), Image.Image)
    assert "has more pixels than are decoded; the limit is 10000" in str(read_rgb(saved(Image.new("L", (101, 100)))))
    with pytest.raises(InputError, match="has 101 x 100 pixels; the limit is 10000"):
        as_rgb(Image.new("L", (101, 100)))


def test_a_wrong_limit_is_the_users_fault_not_the_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIGNREC_LIMITS", "image_pixels=many")
    with pytest.raises(InputError, match="image_pixels takes a positive number"):
        read_rgb(b"")


def test_whatever_a_decoder_raises_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = saved(Image.new("RGB", (64, 64)), "JPEG")
    assert read_rgb(b"") == broken_image(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n") == "not an image"
    assert isinstance(read_rgb(whole[: len(whole) // 2]), str)
    for error in (MemoryError(), IndexError("x"), struct.error("y"), ZeroDivisionError(), RecursionError()):

        def fail(*_: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
        assert isinstance(read_rgb(whole), str)
        assert isinstance(broken_image(whole), str)


def test_only_images_are_opened_and_nothing_that_starts_a_program() -> None:
    assert {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"} <= suffixes()
    assert not {".eps", ".ps", ".wmf", ".pdf", ".hdf", ".txt"} & suffixes()


def test_files_that_never_end_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert "is a pipe, socket or device" in str(read_rgb(tmp_path / "pipe.png"))
    (tmp_path / "huge.png").touch()
    os.truncate(tmp_path / "huge.png", 1 << 40)
    assert "has 1099511627776 bytes; the limit is" in str(read_rgb(tmp_path / "huge.png"))
    assert read_rgb(tmp_path / "none.png") == "the file is missing"


def test_what_pillow_says_of_a_damaged_tiff_stays_off_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])  # as outside of pytest
    content = saved(Image.new("RGB", (4, 4)), "TIFF").replace(
        struct.pack("<HHII", 277, 3, 1, 3), struct.pack("<HHII", 277, 3, 1, 16)
    )
    assert broken_image(content) is not None
    assert capsys.readouterr() == ("", "")


def test_what_cannot_be_blended_or_turned_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    image = Image.new("L", (4, 2), 127)

    def refuse(*given: object) -> None:
        raise ValueError("cannot allocate more than 256 colors")

    monkeypatch.setattr(Image.Image, "convert", refuse)
    assert image_files._on_white(image) is image
    monkeypatch.setattr(Image.Image, "getexif", refuse)
    assert image_files._turn(image) == 1
