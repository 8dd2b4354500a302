"""Archives are unpacked inside their folder or not at all."""

import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from alignrec_geo.dataset.unpack import unpack
from alignrec_geo.errors import InputError


def _tar(path: Path, *members: tuple[tarfile.TarInfo, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def _zip(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, f"content of {name}")
    return path


def test_zip(tmp_path: Path) -> None:
    archive = _zip(tmp_path / "a.zip", "ml/", "ml/u.data", "ml/sub/u.item")
    out = tmp_path / "out"
    assert unpack(archive, out) == [out / "ml" / "u.data", out / "ml" / "sub" / "u.item"]
    assert (out / "ml" / "u.data").read_text() == "content of ml/u.data"
    assert sorted(path.name for path in out.rglob("*")) == ["ml", "sub", "u.data", "u.item"]


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_tar(tmp_path: Path, mode: str) -> None:
    folder = tarfile.TarInfo("ml")
    folder.type = tarfile.DIRTYPE
    archive = _tar(tmp_path / "a.tar", (folder, b""), (tarfile.TarInfo("ml/u.data"), b"1\t2\n"), mode=mode)
    assert unpack(archive, tmp_path) == [tmp_path / "ml" / "u.data"]
    assert (tmp_path / "ml" / "u.data").read_bytes() == b"1\t2\n"


def test_files_that_are_there_in_the_right_size_stay(tmp_path: Path) -> None:
    archive = _zip(tmp_path / "a.zip", "kept", "short")
    (tmp_path / "kept").write_text("CONTENT OF kept")
    (tmp_path / "short").write_text("content")
    unpack(archive, tmp_path)
    assert (tmp_path / "kept").read_text() == "CONTENT OF kept"
    assert (tmp_path / "short").read_text() == "content of short"


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/evil", "C:/evil", "..\\evil", "\\evil"])
def test_members_that_point_outside_are_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    packed = [
        _zip(tmp_path / "a.zip", "good", name),
        _tar(tmp_path / "a.tar", (tarfile.TarInfo("good"), b"1"), (tarfile.TarInfo(name), b"2")),
    ]
    for archive in packed:
        with pytest.raises(InputError, match="points outside the archive; refused"):
            unpack(archive, out)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.tar", "a.zip"]


def test_links_are_refused(tmp_path: Path) -> None:
    link = tarfile.TarInfo("link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    in_zip = zipfile.ZipInfo("link")
    in_zip.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(in_zip, "/etc/passwd")
    for packed in (_tar(tmp_path / "a.tar", (link, b"")), tmp_path / "a.zip"):
        with pytest.raises(InputError, match="is a link or no plain file; refused"):
            unpack(packed, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_truncated_and_other_files_are_refused(tmp_path: Path) -> None:
    whole = _tar(tmp_path / "a.tar.gz", (tarfile.TarInfo("big"), bytes(range(256)) * 4000)).read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(whole[: len(whole) // 2])
    zipped = _zip(tmp_path / "a.zip", "big").read_bytes()
    (tmp_path / "cut.zip").write_bytes(zipped[: len(zipped) // 2])
    (tmp_path / "bad.zip").write_bytes(zipped.replace(b"content of", b"CONTENT OF"))
    (tmp_path / "text.zip").write_text("no archive")
    for name in ("cut.tar.gz", "cut.zip", "bad.zip", "text.zip"):
        with pytest.raises(InputError, match="not a readable zip or tar file, or truncated"):
            unpack(tmp_path / name, tmp_path / "out")
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
