import errno
import subprocess
import sys

import pytest

from alignrec_geo import locks
from alignrec_geo.errors import InputError
from alignrec_geo.locks import LOCK, Lock, in_use, locked, sole


def test_one_owner_at_a_time(tmp_path):
    lock = Lock.attempt(tmp_path / "locks" / "a.lock")
    assert lock is not None
    assert Lock.attempt(tmp_path / "locks" / "a.lock") is None
    assert Lock.attempt(tmp_path / "locks" / "b.lock") is not None
    lock.release()
    assert Lock.attempt(tmp_path / "locks" / "a.lock") is not None


def test_a_child_keeps_the_lock_until_it_ends(tmp_path):
    lock = Lock.attempt(tmp_path / "a.lock")
    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=(lock.descriptor,))
    lock.release()
    assert Lock.attempt(tmp_path / "a.lock") is None
    child.communicate()
    assert Lock.attempt(tmp_path / "a.lock") is not None


def test_locks_go_with_the_work(tmp_path):
    with locked(tmp_path / LOCK):
        assert in_use(tmp_path / LOCK)
        with pytest.raises(InputError, match="busy"), sole(tmp_path / LOCK, "busy"):
            pass
    assert not in_use(tmp_path / LOCK)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / LOCK).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError), sole(tmp_path / LOCK, "busy"):  # noqa: PT011 - the link is not followed
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_a_lock_whose_folder_was_replaced_is_taken_anew(tmp_path):
    (tmp_path / "a").mkdir()
    first = Lock.attempt(tmp_path / "a" / LOCK)
    assert first is not None
    (tmp_path / "a").rename(tmp_path / "b")
    (tmp_path / "a").mkdir()
    second = Lock.attempt(tmp_path / "a" / LOCK)
    assert second is not None
    first.release(remove=True)  # must not take the other's lock away
    assert (tmp_path / "a" / LOCK).exists()
    second.release(remove=True)
    assert list((tmp_path / "a").iterdir()) == []


@pytest.mark.parametrize(("code", "passes"), [(errno.ENOLCK, True), (errno.EIO, False)])
def test_a_file_system_without_locks_has_no_owners(tmp_path, monkeypatch, code, passes):
    def refuse(descriptor, how):
        raise OSError(code, "no")

    monkeypatch.setattr(locks.fcntl, "flock", refuse)
    if passes:
        assert Lock.attempt(tmp_path / "a.lock") is not None
        assert not in_use(tmp_path / "a.lock")
    else:
        with pytest.raises(OSError, match="no"):
            Lock.attempt(tmp_path / "a.lock")
