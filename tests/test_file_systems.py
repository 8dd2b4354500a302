"""Folders on file systems that have no hard links, no locks, no exchange of names, or fail."""

import errno
import os

import pytest

from alignrec_geo import folders
from alignrec_geo.folders import copy_file, copy_tree
from tests.test_folders import make, names


def test_files_are_copied_where_they_cannot_be_linked(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("text")
    copy_file(tmp_path / "a", tmp_path / "to" / "linked", link=True)
    assert (tmp_path / "to" / "linked").stat().st_ino == (tmp_path / "a").stat().st_ino
    with pytest.raises(FileExistsError):
        copy_file(tmp_path / "a", tmp_path / "to" / "linked", link=True)

    def refuse(*names):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    copy_file(tmp_path / "a", tmp_path / "to" / "copied", link=True)
    assert (tmp_path / "to" / "copied").stat().st_ino != (tmp_path / "a").stat().st_ino


def test_a_link_to_a_folder_is_not_copied(tmp_path):
    (tmp_path / "from" / "sub").mkdir(parents=True)
    (tmp_path / "from" / "sub" / "x").write_text("text")
    (tmp_path / "from" / "link").symlink_to(tmp_path / "from" / "sub", target_is_directory=True)
    copy_tree(tmp_path / "from", tmp_path / "to")
    assert names(tmp_path / "to") == ["sub"]


def test_a_disk_that_fails_while_a_folder_is_moved_is_named_as_such(tmp_path, monkeypatch):
    make(tmp_path / "a", "old")

    def refuse(old, new):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(folders.os, "rename", refuse)
    with pytest.raises(OSError, match="Input/output error"):
        make(tmp_path / "a", overwrite=True)
    assert (tmp_path / "a" / "toy.txt").read_text() == "old"


@pytest.mark.parametrize("locks", [True, False])
def test_folders_are_swapped_in_steps_where_the_system_cannot_do_it_at_once(tmp_path, monkeypatch, locks):
    make(tmp_path / "a", "old")
    monkeypatch.setattr(folders, "exchange", lambda *paths: False)
    if not locks:
        monkeypatch.setattr(folders, "Lock", type("NoLock", (), {"attempt": staticmethod(lambda *a, **o: None)}))
    make(tmp_path / "a", "new", overwrite=True)
    assert (tmp_path / "a" / "toy.txt").read_text() == "new"
    assert names(tmp_path) == ["a"]
