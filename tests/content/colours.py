"""A data set in which image and text say the same of an item: its colour."""

from pathlib import Path

import polars as pl

from alignrec_geo.dataset.build import Tables, build_dataset
from alignrec_geo.dataset.images import ImageSource
from alignrec_geo.dataset.splits import SplitConfig
from alignrec_geo.dataset.store import Dataset
from tests.content.encoders.tiny_encoders import text_folder, vision_folder
from tests.dataset.toys import frame, png

COLOURS = {
    "red": (220, 30, 30),
    "green": (30, 200, 30),
    "blue": (30, 30, 220),
    "yellow": (220, 220, 30),
    "black": (10, 10, 10),
    "white": (245, 245, 245),
}
THINGS = ("mug", "pen", "cup", "bag", "box")


def coloured_things(folder: Path, items: int = 240) -> Dataset:
    """Things of one colour each: the image shows it, the text names it and the thing."""
    photos = folder / "photos"
    photos.mkdir(parents=True)
    rows, things = [], []
    for n in range(items):
        colour, thing = sorted(COLOURS)[n % 6], THINGS[n // 6 % 5]
        (photos / f"i{n}.png").write_bytes(png(COLOURS[colour], size=16))
        things.append({"id": f"i{n}", "title": f"a {colour} {thing}", "text": f"this {thing} is very {colour} ."})
        rows.append((f"u{n % 20}", f"i{n}", n // 20 % 3))
    tables = Tables(interactions=frame(rows), items=pl.DataFrame(things), images=ImageSource(photos))
    return build_dataset("colours", tables, SplitConfig(rule="given")).save(folder / "colours")


def coloured_encoders(folder: Path) -> tuple[str, str]:
    """An image and a text encoder with random weights that know all colours and things."""
    words = {*COLOURS, *THINGS, "this", "is", "very"}
    image, text = vision_folder(folder / "vit", width=24), text_folder(folder / "bert", words=words, width=24)
    return str(image), str(text)
