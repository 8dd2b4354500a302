import io
import tarfile
from pathlib import Path

import pytest

from alignrec_geo.dataset.images import ImageSource, broken_image, store_images
from alignrec_geo.errors import InputError
from tests.dataset.toys import png


def tar_of(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def test_folder_and_tar_give_the_same_pictures(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    members = {"mug.png": png(), "pen.PNG": png((0, 0, 9)), "notes.txt": b"no picture"}
    for name, content in members.items():
        (folder / name).write_bytes(content)
    archive = tar_of(tmp_path / "pictures.tar", {f"deep/{name}": content for name, content in members.items()})
    wanted = [("mug", ".png", png()), ("pen", ".png", png((0, 0, 9)))]
    assert sorted(ImageSource(folder)) == wanted
    assert sorted(ImageSource(archive)) == wanted


def test_stored_pictures_and_what_could_not_be_used(tmp_path: Path) -> None:
    members = {"mug.png": png(), "mug.gif": png(), "pen.jpg": b"no picture", "elk.png": png(), "a%2Fb.png": png()}
    source = ImageSource(tar_of(tmp_path / "in.tar", members))
    names, notes = store_images(source, ["mug", "pen", "cup", "a%2Fb"], tmp_path / "out")
    assert names == ["mug.png", None, None, "a%252Fb.png"]
    assert (tmp_path / "out" / "mug.png").read_bytes() == png()
    assert notes == [
        "item 'mug' has more than one image; mug.png is kept",
        "image pen.jpg cannot be read (not a picture); item 'pen' counts as without image",
        "1 images belong to no item of this data set and were left out",
    ]


def test_ids_that_differ_in_case_only_get_different_files(tmp_path: Path) -> None:
    source = [("A", ".png", png()), ("a", ".png", png())]
    names, _ = store_images(source, ["A", "a"], tmp_path / "out")
    assert names == ["A.png", "row-1.png"]


def test_truncated_pictures_are_broken() -> None:
    assert broken_image(png()) is None
    assert broken_image(png(size=64)[:60]) is not None
    assert broken_image(b"") == "not a picture"


@pytest.mark.parametrize("name", ["../evil.png", "/evil.png", "a/../../evil.png"])
def test_members_outside_the_archive_are_refused(tmp_path: Path, name: str) -> None:
    source = ImageSource(tar_of(tmp_path / "in.tar", {name: png()}))
    with pytest.raises(InputError, match="points outside the archive; refused"):
        list(source)


def test_no_such_source(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder or tar file"):
        ImageSource(tmp_path / "none.tar")


@pytest.mark.parametrize("keep", [0, 100, 512, 600, 1024, 1100])
def test_a_tar_cut_anywhere_is_refused(tmp_path: Path, keep: int) -> None:
    """Two members of one header block and one content block each: cut in each of them, and between."""
    path = tar_of(tmp_path / "in.tar", {"a.png": png(), "b.png": png()})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match="not a readable tar file, or truncated"):
        list(ImageSource(path))
