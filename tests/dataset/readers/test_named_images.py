import tarfile
from pathlib import Path

import polars as pl
import pytest

from alignrec_geo import Dataset
from alignrec_geo.dataset.readers.named_images import NamedImages
from alignrec_geo.dataset.readers.table import TableConfig, read_table
from alignrec_geo.errors import InputError
from tests.dataset.toys import frame, png, write


@pytest.fixture
def clicks(tmp_path: Path) -> Path:
    return write(tmp_path / "clicks.csv", "user,item\nann,mug\nann,pen\nbob,mug\nbob,cup\n")


def test_paths_beside_the_items_shared_images_and_missing_ones(clicks: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "1.png").write_bytes(png())
    items = write(tmp_path / "i.csv", "item,photo\nmug,photos/1.png\npen,./photos/1.png\ncup,photos/2.png\n")
    data = read_table(TableConfig(interactions=clicks, items=items, image="photo")).save(tmp_path / "d")
    assert data.items.select("id", "image").rows() == [
        ("cup", None),
        ("mug", "images/mug.png"),
        ("pen", "images/pen.png"),
    ]
    assert data.notes[-2:] == ["2 of 3 items have an image", "image 'photos/2.png' of item 'cup' is not there"]
    assert (tmp_path / "d" / "images" / "pen.png").read_bytes() == png()


def test_addresses_stand_for_the_file_of_that_name_in_a_folder_or_archive(clicks: Path, tmp_path: Path) -> None:
    addresses = "item,url\nmug,https://cdn.example/a/the%20mug.png?w=300\npen,\n"
    items = write(tmp_path / "i.csv", addresses)
    with pytest.raises(
        InputError, match=r"i\.csv: line 2 holds 'https://.*' in column 'url', a web address; nothing is "
    ):
        read_table(TableConfig(interactions=clicks, items=items, image="url"))
    (tmp_path / "the mug.png").write_bytes(png())
    with tarfile.open(tmp_path / "photos.tar", "w") as archive:
        archive.add(tmp_path / "the mug.png", "photos/large/the mug.png")
    for images in (tmp_path, tmp_path / "photos.tar"):
        data = read_table(TableConfig(interactions=clicks, items=items, image="url", images=images))
        assert data.save(tmp_path / "d", overwrite=True).items["image"].to_list() == [None, "images/mug.png", None]


@pytest.mark.parametrize("name", ["../secret.png", "{folder}/secret.png", "link.png"])
def test_nothing_outside_of_the_folder_is_read(clicks: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.png").write_bytes(png())
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "in.png").write_bytes(png())
    (tmp_path / "shop" / "link.png").symlink_to(tmp_path / "secret.png")
    named = name.format(folder=tmp_path)
    items = write(tmp_path / "shop" / "i.csv", f"item,photo\nmug,{named}\npen,in.png\n")
    data = read_table(TableConfig(interactions=clicks, items=items, image="photo")).save(tmp_path / "d")
    assert data.items["image"].to_list() == [None, None, "images/pen.png"]
    assert any("lies outside of" in note for note in data.notes)


def test_a_column_that_names_nothing_is_a_mistake(clicks: Path, tmp_path: Path) -> None:
    items = write(tmp_path / "i.csv", "item,photo,none\nmug,1.png,\npen,2.png,\n")
    with pytest.raises(InputError, match=r"holds none of the 2 images that are named, such as '1\.png', '2\.png'"):
        read_table(TableConfig(interactions=clicks, items=items, image="photo")).save(tmp_path / "d")
    assert not (tmp_path / "d").exists()
    with pytest.raises(InputError, match="column 'none' names no image"):
        read_table(TableConfig(interactions=clicks, items=items, image="none"))
    with pytest.raises(InputError, match="image= needs a file of items"):
        read_table(TableConfig(interactions=clicks, image="photo"))


def test_from_frames(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(png())
    items = frame().select("item").unique().rename({"item": "id"})
    items = items.with_columns(photo=pl.lit("1.png"))
    data = Dataset.from_frame(frame(), split="split", items=items, image="photo", images=tmp_path).save(tmp_path / "d")
    assert data.items["image"].null_count() == 0
    with pytest.raises(InputError, match=r"image= names files in a folder or an archive; name that with images="):
        Dataset.from_frame(frame(), split="split", items=items, image="photo")


def test_what_is_passed_over_is_told_in_a_few_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = tmp_path / "shop"
    (shop / "folder.png").mkdir(parents=True)
    (shop / "a.png").write_bytes(png())
    (shop / "large.png").write_bytes(b"x" * 4000)
    (shop / "notes.txt").write_text("no image")
    monkeypatch.setenv("ALIGNREC_LIMITS", "image_bytes=3999")
    names = ["a.png", "large.png", "notes.txt", "folder.png", "n\0l.png", "n" * 300 + ".png"]
    source = NamedImages(shop, items_of={name: [f"item {name}"] for name in names})
    assert list(source) == [("item a.png", ".png", png())]
    notes = "\n".join(source.notes)
    assert "image 'large.png' is larger than the limit of 3999 bytes (image_bytes)" in notes
    assert "image 'notes.txt' has a suffix of no image that can be read" in notes
    assert "image 'n\\x00l.png' lies outside of" in notes
    assert "cannot be read ([Errno 36] File name too long" in notes
    assert "image 'folder.png' of item 'item folder.png' is not there" in notes
    with tarfile.open(tmp_path / "shop.tar", "w") as archive:
        archive.add(shop, "deep")
    packed = NamedImages(tmp_path / "shop.tar", items_of=source.items_of)
    assert list(packed) == list(source)
    many = NamedImages(shop, items_of={"a.png": ["a"], **{f"{n}.png": [str(n)] for n in range(40)}})
    list(many)
    assert "more images are missing or were passed over" in many.notes[-1]
    assert len(many.notes) < 40


def test_whole_paths_below_the_folder(clicks: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "1.png").write_bytes(png())
    items = write(tmp_path / "i.csv", f"item,photo\nmug,{tmp_path}/photos/1.png\n")
    config = TableConfig(interactions=clicks, items=items, image="photo", images=tmp_path / "photos")
    assert read_table(config).save(tmp_path / "d").items["image"].to_list() == [None, "images/mug.png", None]
