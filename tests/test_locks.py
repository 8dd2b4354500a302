import subprocess
import sys

from alignrec_geo.locks import Lock


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
