"""Archives are unpacked inside their folder or not at all."""

import errno
import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from alignrec_geo.dataset import unpack as module
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
        with pytest.raises(InputError, match="not a readable zip or tar file, or damaged"):
            unpack(tmp_path / name, tmp_path / "out")
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def _sparse(path: Path, size: int) -> Path:
    """A tar of one member that says it is ``size`` bytes, of which the file holds none."""
    member = tarfile.TarInfo("big.png")
    member.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    header[386:410] = b"%011o\0" % size + b"%011o\0" % 0  # one hole up to the end
    header[483:495] = b"\x80" + size.to_bytes(11, "big")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    path.write_bytes(bytes(header) + bytes(1024))
    return path


def test_bombs_are_refused_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zeros = _tar(tmp_path / "a.tar.xz", (tarfile.TarInfo("zeros"), bytes(1 << 20)), mode="w:xz")
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("zeros", bytes(1 << 20))
    monkeypatch.setattr("alignrec_geo.dataset.archives.UNCHECKED", 1 << 16)
    monkeypatch.setenv("ALIGNREC_LIMITS", "unpacked_ratio=500")
    for archive in (_sparse(tmp_path / "s.tar", 1 << 32), zeros, tmp_path / "a.zip"):
        with pytest.raises(InputError, match=r"unpacks to \S+ .*ALIGNREC_LIMITS=unpacked_"):
            unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    monkeypatch.setenv("ALIGNREC_LIMITS", "unpacked_ratio=100000")
    assert unpack(zeros, tmp_path / "out")[0].stat().st_size == 1 << 20
    monkeypatch.setenv("ALIGNREC_LIMITS", "archive_members=1")
    with pytest.raises(InputError, match="has more members; the limit is 1"):
        unpack(_zip(tmp_path / "two.zip", "a", "b"), tmp_path / "out")


def test_a_member_of_negative_size_does_not_run_in_circles(tmp_path: Path) -> None:
    member = tarfile.TarInfo("a")
    member.size = -1024
    (tmp_path / "a.tar").write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(InputError, match="not a readable zip or tar file, or damaged"):
        unpack(tmp_path / "a.tar", tmp_path / "out")


def test_encrypted_members_and_links_in_the_way_are_refused(tmp_path: Path) -> None:
    archive = _zip(tmp_path / "a.zip", "deep/a")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "deep").symlink_to(tmp_path)
    with pytest.raises(InputError, match="would be written through the link"):
        unpack(archive, tmp_path / "out")
    content = bytearray(archive.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(bytes(content))
    with pytest.raises(InputError, match="member 'deep/a' is encrypted"):
        unpack(archive, tmp_path / "other")


@pytest.mark.parametrize("name", ["x" * 300, "/".join(["d"] * 3000)])
def test_names_that_no_file_can_have_are_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    for archive in (
        _zip(tmp_path / "a.zip", "good", name),
        _tar(tmp_path / "a.tar", (tarfile.TarInfo("good"), b"x"), (tarfile.TarInfo(name), b"y")),
    ):
        with pytest.raises(InputError, match=r"no file can be called '[xd/]{80}' here"):
            unpack(archive, out)
        assert not out.exists()


def test_a_member_below_another_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file can be called 'a/b' here"):
        unpack(_zip(tmp_path / "a.zip", "a", "a/b"), tmp_path / "out")


def test_zstandard_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.tar.zst").write_bytes(b"\x28\xb5\x2f\xfd" + bytes(20))
    with pytest.raises(InputError, match=r"is compressed with zstd, which is not read; unpack it first \(zstd -d\)"):
        unpack(tmp_path / "a.tar.zst", tmp_path / "out")


def test_the_limit_of_bytes_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alignrec_geo.dataset.archives.UNCHECKED", 10)
    monkeypatch.setenv("ALIGNREC_LIMITS", "unpacked_bytes=2000")
    archive = _tar(tmp_path / "a.tar", (tarfile.TarInfo("a"), bytes(200_000)))
    with pytest.raises(InputError, match=r"unpacks to 2e\+05 bytes or more.*unpacked_bytes"):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_not_the_archives_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module, "_write", full)
    with pytest.raises(OSError, match="No space left"):
        unpack(_zip(tmp_path / "a.zip", "one"), tmp_path / "out")
