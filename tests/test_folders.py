"""Folders are made whole or not at all, and replaced only if they are this program's own."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from alignrec_geo import folders, staging
from alignrec_geo.errors import InputError
from alignrec_geo.files import inside
from alignrec_geo.folders import (
    FolderKind,
    atomic_directory,
    check_links,
    copy_tree,
    folder_target,
    new_folder,
)
from alignrec_geo.outputs import output_file
from alignrec_geo.staging import recover

TOY = FolderKind(
    name="toy",
    problem=lambda folder: TOY.foreign(folder) if (folder / "toy.txt").exists() else "has no toy.txt",
    owns=(r"toy\.txt", r"parts/.*"),
)


def make(path: Path, text: str = "new", **options: object) -> None:
    with atomic_directory(path, TOY, **options) as folder:  # type: ignore[arg-type]
        (folder / "toy.txt").write_text(text)


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


class Killed(BaseException):
    """Stands in for the death of the process: nothing that follows in it is carried out."""


def test_a_folder_is_made_and_replaced_only_when_asked(tmp_path):
    make(tmp_path / "a", "one")
    with pytest.raises(InputError, match="already exists and is not empty"):
        make(tmp_path / "a")
    make(tmp_path / "a", "two", overwrite=True)
    assert (tmp_path / "a" / "toy.txt").read_text() == "two"
    assert names(tmp_path) == ["a"]


def test_a_failed_write_leaves_the_old_folder_and_nothing_else(tmp_path):
    make(tmp_path / "a", "old")

    def fail():
        with atomic_directory(tmp_path / "a", TOY, overwrite=True) as folder:
            (folder / "toy.txt").write_text("half")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        fail()
    assert (tmp_path / "a" / "toy.txt").read_text() == "old"
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize(
    ("put", "said"),
    [
        ("thesis.tex", "holds 'thesis.tex', which is no part of a toy"),
        ("parts/../other/x", "holds 'other/x'"),
        (None, "has no toy.txt"),
    ],
)
def test_a_folder_that_is_not_wholly_ours_is_never_replaced(tmp_path, put, said):
    target = tmp_path / "a"
    make(target)
    if put is None:
        (target / "toy.txt").rename(target / "thesis.tex")
    else:
        (target / "parts").mkdir()
        (target / put).parent.mkdir(exist_ok=True)
        (target / put).write_text("work")
    before = sorted(target.rglob("*"))
    with pytest.raises(
        InputError, match=r"overwrite=True replaces only a toy that this program made; this folder " + said
    ):
        make(target, overwrite=True)
    assert sorted(target.rglob("*")) == before
    assert names(tmp_path) == ["a"]


def test_what_came_into_the_folder_during_the_work_is_not_lost(tmp_path):
    make(tmp_path / "a", "old")

    def work():
        with atomic_directory(tmp_path / "a", TOY, overwrite=True) as folder:
            (folder / "toy.txt").write_text("new")
            (tmp_path / "a" / "thesis.tex").write_text("work")

    with pytest.raises(InputError, match=r"thesis\.tex"):
        work()
    assert names(tmp_path / "a") == ["thesis.tex", "toy.txt"]


def test_inputs_the_current_folder_and_mount_points_are_not_replaced(tmp_path, monkeypatch):
    make(tmp_path / "a")
    (tmp_path / "a" / "parts").mkdir()
    (tmp_path / "a" / "parts" / "in.csv").write_text("x")
    with pytest.raises(InputError, match=r"holds '.*in\.csv', which this command reads"):
        make(tmp_path / "a", overwrite=True, inputs=[tmp_path / "a" / "parts" / "in.csv"])
    with pytest.raises(InputError, match="which this command reads"):
        make(tmp_path / "a", overwrite=True, inputs=[None, tmp_path / "a"])
    monkeypatch.chdir(tmp_path / "a" / "parts")
    with pytest.raises(InputError, match="is or holds the current folder"):
        make(Path(".."), overwrite=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os.path, "ismount", lambda path: str(path) == str(tmp_path / "a"))
    with pytest.raises(InputError, match="is a mount point"):
        make(tmp_path / "a", overwrite=True)
    make(tmp_path / "b")


def test_links_files_and_slashes_as_targets(tmp_path):
    (tmp_path / "real").mkdir()
    for name, to in (("empty", "real"), ("dangling", "later"), ("circle", "circle")):
        (tmp_path / name).symlink_to(tmp_path / to)
    make(tmp_path / "empty")
    make(Path(f"{tmp_path}/empty/"), "again", overwrite=True)
    assert (tmp_path / "empty").is_symlink()
    assert (tmp_path / "real" / "toy.txt").read_text() == "again"
    make(tmp_path / "dangling")
    assert (tmp_path / "later" / "toy.txt").read_text() == "new"
    with pytest.raises(InputError, match="in a circle"):
        make(tmp_path / "circle")
    with pytest.raises(InputError, match="is a file; a folder is to be written there"):
        make(tmp_path / "real" / "toy.txt", overwrite=True)
    with pytest.raises(InputError, match=r"toy\.txt is a file; nothing can be written under it"):
        make(tmp_path / "real" / "toy.txt" / "x" / "y")
    assert names(tmp_path) == ["circle", "dangling", "empty", "later", "real"]


def test_two_that_make_the_same_folder(tmp_path):
    with new_folder(tmp_path / "a", TOY) as first:
        with pytest.raises(InputError, match="another process is writing there now"):
            make(tmp_path / "a")
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "thesis.tex").write_text("work")
        with pytest.raises(InputError, match=r"cannot be replaced: the folder has no toy\.txt"):
            first.settle()
    assert names(tmp_path / "a") == ["thesis.tex"]
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("can_exchange", [True, False])
@pytest.mark.parametrize("moment", range(4))
def test_killed_at_any_step_of_replacing_there_is_the_old_or_the_new(tmp_path, monkeypatch, can_exchange, moment):
    target, steps = tmp_path / "a", iter(range(99))
    make(target, "old")

    def step(real):
        def carried_out(*given, **options):
            if next(steps) == moment:
                raise Killed
            return real(*given, **options)

        return carried_out

    with monkeypatch.context() as patch:
        if not can_exchange:
            patch.setattr(folders, "exchange", lambda *given: False)
        else:
            patch.setattr(folders, "exchange", step(folders.exchange))
        patch.setattr(os, "rename", step(os.rename))
        patch.setattr(folders, "delete", step(folders.delete))
        patch.setattr(staging, "delete", lambda path: None)
        with suppress(Killed):
            make(target, "new", overwrite=True)
    recover(target)
    assert (target / "toy.txt").read_text() in ("old", "new")
    make(target, "newer", overwrite=True)
    assert (target / "toy.txt").read_text() == "newer"
    assert names(tmp_path) == ["a"]


def test_killed_between_two_renames_the_next_command_gives_the_name_back(tmp_path):
    code = f"""
import os, signal
from pathlib import Path
from alignrec_geo import folders
from tests.test_folders import make
folders.exchange = lambda *given: False
make(Path({str(tmp_path / "a")!r}), "old")
real, seen = os.rename, []
def rename(old, new):
    real(old, new)
    if str(new).endswith(".old"):
        os.kill(os.getpid(), signal.SIGKILL)
os.rename = rename
make(Path({str(tmp_path / "a")!r}), "new", overwrite=True)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[1])
    assert done.returncode == -9
    assert not (tmp_path / "a").exists()
    recover(tmp_path / "a")
    assert (tmp_path / "a" / "toy.txt").read_text() == "old"
    make(tmp_path / "a", "new", overwrite=True)
    assert names(tmp_path) == ["a"]


def test_long_names(tmp_path):
    name = "ü" * 120
    make(tmp_path / name)
    (tmp_path / name).rename(tmp_path / ("y" * 250))
    make(tmp_path / ("y" * 250), overwrite=True)
    assert len(names(tmp_path)) == 1


def test_nothing_leads_out_of_a_folder(tmp_path):
    (tmp_path / "secret").write_text("x")
    folder = tmp_path / "a"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "in").write_text("inner")
    (folder / "inner").symlink_to(folder / "sub" / "in")
    check_links(folder)
    copy_tree(folder, tmp_path / "copy")
    assert (tmp_path / "copy" / "inner").read_text() == "inner"
    assert not (tmp_path / "copy" / "inner").is_symlink()
    for name in ("../secret", str(tmp_path / "secret"), "sub/../../secret"):
        with pytest.raises(InputError, match="leads out of the folder"):
            inside(folder, name)
    (folder / "sub" / "link").symlink_to(tmp_path / "secret")
    for check in (check_links, lambda folder: copy_tree(folder, tmp_path / "copy-2")):
        with pytest.raises(InputError, match=r"link: leads out of the folder"):
            check(folder)
    (folder / "sub" / "link").unlink()
    os.mkfifo(folder / "pipe")
    with pytest.raises(InputError, match="is a pipe, socket or device"):
        check_links(folder)


def test_output_files(tmp_path):
    (tmp_path / "data.csv").write_text("x")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere.json")
    assert output_file(tmp_path / "new" / "a.json") == tmp_path / "new" / "a.json"
    assert output_file(tmp_path / "link") == tmp_path / "elsewhere.json"
    for path, said in (
        (tmp_path, "is a folder; a file is to be written there"),
        (tmp_path / "pipe", "is a pipe, socket or device"),
        (Path("/dev/null"), "is a pipe, socket or device"),
        (tmp_path / "data.csv" / "a.json", "is a file; nothing can be written under it"),
        (tmp_path / "data.csv", "is what this command reads"),
    ):
        with pytest.raises(InputError, match=said):
            output_file(path, [None, tmp_path / "data.csv"])


@pytest.mark.skipif(os.geteuid() == 0, reason="everything is permitted to root")
def test_no_permission(tmp_path):
    (tmp_path / "shut").mkdir(mode=0o500)
    for check in (output_file, lambda path: folder_target(path, TOY)):
        with pytest.raises(PermissionError):
            check(tmp_path / "shut" / "a")
