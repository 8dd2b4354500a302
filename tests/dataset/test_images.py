import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from alignrec_geo.dataset.images import ImageSource, store_images
from alignrec_geo.errors import InputError
from alignrec_geo.image_files import broken_image
from tests.dataset.toys import png


def tar_of(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def test_folder_and_tar_give_the_same_images(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    members = {"mug.png": png(), "pen.PNG": png((0, 0, 9)), "notes.txt": b"no image"}
    for name, content in members.items():
        (folder / name).write_bytes(content)
    archive = tar_of(tmp_path / "images.tar", {f"deep/{name}": content for name, content in members.items()})
    wanted = [("mug", ".png", png()), ("pen", ".png", png((0, 0, 9)))]
    assert sorted(ImageSource(folder)) == wanted
    assert sorted(ImageSource(archive)) == wanted


def test_stored_images_and_what_could_not_be_used(tmp_path: Path) -> None:
    members = {"mug.png": png(), "mug.gif": png(), "pen.jpg": b"no image", "elk.png": png(), "a%2Fb.png": png()}
    source = ImageSource(tar_of(tmp_path / "in.tar", members))
    names, notes = store_images(source, ["mug", "pen", "cup", "a%2Fb"], tmp_path / "out")
    assert names == ["mug.png", None, None, "a%252Fb.png"]
    assert (tmp_path / "out" / "mug.png").read_bytes() == png()
    assert notes == [
        "2 of 4 items have an image; 1 images matched no item, e.g. elk.png",
        "image pen.jpg cannot be read (not an image); item 'pen' counts as without image",
        "item 'mug' has more than one image; mug.png, the first, is kept",
    ]


def test_ids_that_differ_in_case_only_get_different_files(tmp_path: Path) -> None:
    source = [("A", ".png", png()), ("a", ".png", png())]
    names, _ = store_images(source, ["A", "a"], tmp_path / "out")
    assert names == ["A.png", "row-1.png"]


def test_a_folder_is_read_with_its_subfolders_and_says_what_it_passed_over(tmp_path: Path) -> None:
    source, outside = tmp_path / "in", tmp_path / "secret.png"
    (source / "000").mkdir(parents=True)
    outside.write_bytes(png())
    for name in ("mug.jfif", "000/pen.tiff", "000/mug.png", "notes.txt", "000/._pen.png"):
        (source / name).write_bytes(png())
    (source / "cup.png").symlink_to(outside)
    (source / "elk.png").symlink_to(source / "mug.jfif")
    (source / "loop").symlink_to(source)
    (source / "self.png").symlink_to(source / "self.png")
    os.mkfifo(source / "pipe.png")
    (source / "huge.png").touch()
    os.truncate(source / "huge.png", 1 << 40)
    names, notes = store_images(ImageSource(source), ["mug", "pen", "cup", "elk", "pipe"], tmp_path / "out")
    assert names == ["mug.jfif", "pen.tiff", None, "elk.png", None]
    assert notes == [
        "3 of 5 items have an image",
        "item 'mug' has more than one image; mug.jfif, the first, is kept",
        "images: 1 linked folders were passed over, e.g. loop",
        "images: 1 links that lead out of the folder were passed over, e.g. cup.png",
        "images: 1 files larger than the limit of 1073741824 bytes (image_bytes) were passed over, e.g. huge.png",
        "images: 1 pipes, sockets or devices were passed over, e.g. pipe.png",
        "images: 1 files that cannot be read (Too many levels of symbolic links) were passed over, e.g. self.png",
        "images: 1 files have a suffix of no image that can be read and were passed over: .txt (1)",
    ]


def test_images_that_match_no_item_are_an_error_with_examples_of_both(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "notes.txt").write_text("")
    with pytest.raises(InputError, match=r"in: no images in it.* example mug\.jpg \(1 files .*\.txt \(1\)\)"):
        store_images(ImageSource(source), ["mug"], tmp_path / "out")
    (source / "MUG-1.png").write_bytes(png())
    message = "none of its 1 images is called as an item; images are for example MUG-1.png, item ids are .* mug, pen"
    with pytest.raises(InputError, match=message):
        store_images(ImageSource(source), ["mug", "pen"], tmp_path / "out")


def test_names_in_other_spellings_of_the_same_letters_match(tmp_path: Path) -> None:
    source = [("cafe\u0301", ".png", png()), ("a%2Fb", ".png", png())]
    names, _ = store_images(source, ["caf\u00e9", "a/b"], tmp_path / "out")
    assert names == ["caf%C3%A9.png", "a%2Fb.png"]


def test_a_zip_of_images_with_a_damaged_one(tmp_path: Path) -> None:
    path = tmp_path / "in.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("deep/mug.png", png())
        archive.writestr("pen.png", png((0, 0, 9)))
    path.write_bytes(path.read_bytes().replace(png((0, 0, 9)), png((0, 0, 9))[:-1] + b"x"))
    names, notes = store_images(ImageSource(path), ["mug", "pen"], tmp_path / "out")
    assert names == ["mug.png", None]
    assert notes == ["1 of 2 items have an image", "images: 1 damaged members were passed over, e.g. pen.png"]


def test_thousands_of_broken_images_are_a_few_lines(tmp_path: Path) -> None:
    source = [(str(n), ".png", b"") for n in range(50)]
    _, notes = store_images(source, [str(n) for n in range(50)], tmp_path / "out")
    assert notes[0] == "0 of 50 items have an image"
    assert notes[-1] == "40 more images cannot be read"
    assert len(notes) == 12


def test_truncated_images_are_broken() -> None:
    assert broken_image(png()) is None
    assert broken_image(png(size=64)[:60]) is not None
    assert broken_image(b"") == "not an image"


@pytest.mark.parametrize("name", ["../evil.png", "/evil.png", "a/../../evil.png"])
def test_members_outside_the_archive_are_refused(tmp_path: Path, name: str) -> None:
    source = ImageSource(tar_of(tmp_path / "in.tar", {name: png()}))
    with pytest.raises(InputError, match="points outside the archive; refused"):
        list(source)


def test_no_such_source(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder, tar or zip file"):
        ImageSource(tmp_path / "none.tar")


@pytest.mark.parametrize("keep", [0, 100, 512, 600, 1024, 1100])
def test_a_tar_cut_anywhere_is_refused(tmp_path: Path, keep: int) -> None:
    """Two members of one header block and one content block each: cut in each of them, and between."""
    path = tar_of(tmp_path / "in.tar", {"a.png": png(), "b.png": png()})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match="not a readable zip or tar file, or damaged"):
        list(ImageSource(path))


def test_folders_that_cannot_be_read_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "images" / "shut").mkdir(parents=True)
    (tmp_path / "images" / "mug.png").write_bytes(png())
    scandir = os.scandir

    def guarded(path: str) -> object:  # root may read whatever the permissions say
        if Path(path).name == "shut":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    source = ImageSource(tmp_path / "images")
    assert [name for name, *_ in source] == ["mug"]
    assert source.notes == ["images: 1 folders that cannot be read (Permission denied) were passed over, e.g. shut"]


def test_examples_of_what_is_passed_over_are_few(tmp_path: Path) -> None:
    for name in "abcde":
        (tmp_path / f"{name}-link").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "mug.png").write_bytes(png())
    source = ImageSource(tmp_path)
    assert [name for name, *_ in source] == ["mug"]
    assert source.notes == ["images: 5 linked folders were passed over, e.g. a-link, b-link, c-link"]
