"""What killed processes left is swept; what lives or is not this program's stays."""

import errno
from pathlib import Path

import pytest

from alignrec_geo.files import atomic_path
from alignrec_geo.locks import Lock
from alignrec_geo.staging import is_leftover, recover, sweep, sweep_inside


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_leftovers_are_swept_and_what_lives_or_is_not_ours_stays(tmp_path):
    dead, living = tmp_path / ".a.aaaaaaaa.part", tmp_path / ".a.bbbbbbbb.part"
    for folder in (dead, living):
        folder.mkdir()
        (folder / "x").write_text("half")
    others = [tmp_path / name for name in ("a.part", ".a.part", ".ab.cccccccc.part", ".a.cccccccc.parts")]
    for file in others:
        file.write_text("user's")
    (tmp_path / ".a.dddddddd.part").symlink_to(others[0])
    lock = Lock.attempt(living, create=False)
    assert lock is not None
    assert sweep(tmp_path / "a")
    assert not dead.exists()
    assert living.exists()
    lock.release()
    assert not sweep(tmp_path / "a")
    assert not living.exists()
    assert all(file.exists() for file in others)
    assert (tmp_path / ".a.dddddddd.part").is_symlink()
    assert is_leftover(".a.dddddddd.part")
    assert not is_leftover("a.dddddddd.part")


def test_sweeping_a_whole_folder(tmp_path):
    (tmp_path / "sub" / ".b.aaaaaaaa.part").mkdir(parents=True)
    (tmp_path / "sub" / ".c.json.aaaaaaaa.part").write_text("half")
    (tmp_path / "sub" / "c.json").write_text("whole")
    sweep_inside(tmp_path)
    assert names(tmp_path / "sub") == ["c.json"]


def test_a_file_written_again_sweeps_its_leftovers(tmp_path):
    (tmp_path / ".a.json.aaaaaaaa.part").write_text("half")
    with atomic_path(tmp_path / "a.json") as staged:
        assert names(tmp_path) == [staged.name]
        staged.write_text("whole")
    assert names(tmp_path) == ["a.json"]


@pytest.mark.parametrize("living", [True, False])
def test_a_folder_that_is_being_replaced_gets_its_name_back_only_if_its_process_is_dead(tmp_path, living):
    retired = tmp_path / ".a.aaaaaaaa.old"
    retired.mkdir()
    (retired / "x").write_text("whole")
    lock = Lock.attempt(retired, create=False) if living else None
    recover(tmp_path / "a")
    assert (tmp_path / "a").exists() != living
    if lock is not None:
        lock.release()


def test_where_nothing_can_be_locked_files_are_written_all_the_same(tmp_path, monkeypatch):
    def refuse(path, create=True):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(Lock, "attempt", refuse)
    with atomic_path(tmp_path / "a.json") as staged:
        staged.write_text("whole")
    assert names(tmp_path) == ["a.json"]


def test_a_name_that_others_swept_or_took_is_made_anew(tmp_path, monkeypatch):
    attempt, taken = Lock.attempt, []

    def race(path, create=True):
        taken.append(path)
        if len(taken) == 1:
            path.unlink()
            raise FileNotFoundError(path)
        return None if len(taken) == 2 else attempt(path, create=create)

    monkeypatch.setattr(Lock, "attempt", race)
    with atomic_path(tmp_path / "a.json") as staged:
        assert staged == taken[2]
        staged.write_text("whole")
    assert (tmp_path / "a.json").read_text() == "whole"
