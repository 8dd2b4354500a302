"""Two folders that change names at once, and what is said where a system cannot."""

import ctypes
import errno
import sys
from types import SimpleNamespace

import pytest

from alignrec_geo import exchange as module
from alignrec_geo.exchange import exchange


@pytest.fixture
def folders(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    return tmp_path / "one", tmp_path / "two"


def content(folders):
    return [(folder / "file").read_text() for folder in folders]


@pytest.mark.skipif(sys.platform != "linux", reason="renameat2 is Linux's")
def test_names_are_swapped(folders):
    if exchange(*folders):  # not every file system can
        assert content(folders) == ["two", "one"]


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP])
def test_what_a_file_system_cannot_is_no_error(folders, monkeypatch, code):
    monkeypatch.setattr(module.ctypes, "CDLL", lambda *a, **o: SimpleNamespace(renameat2=lambda *given: -1))
    monkeypatch.setattr(ctypes, "get_errno", lambda: code)
    monkeypatch.setattr(sys, "platform", "linux")
    assert not exchange(*folders)
    assert content(folders) == ["one", "two"]


def test_another_failure_names_both_folders(tmp_path, monkeypatch):
    monkeypatch.setattr(module.ctypes, "CDLL", lambda *a, **o: SimpleNamespace(renameat2=lambda *given: -1))
    monkeypatch.setattr(ctypes, "get_errno", lambda: errno.EACCES)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(PermissionError) as raised:
        exchange(tmp_path / "one", tmp_path / "two")
    assert (raised.value.filename, raised.value.filename2) == (str(tmp_path / "one"), str(tmp_path / "two"))


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_a_system_without_the_call_says_no(folders, monkeypatch, platform):
    monkeypatch.setattr(module.ctypes, "CDLL", lambda *a, **o: SimpleNamespace())
    monkeypatch.setattr(sys, "platform", platform)
    assert not exchange(*folders)
    assert content(folders) == ["one", "two"]
