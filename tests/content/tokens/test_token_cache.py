import errno
import json
import os

import numpy as np
import pytest

from alignrec_geo import locks
from alignrec_geo.content.tokens import token_cache
from alignrec_geo.content.tokens.token_cache import CHUNK, ArraySpec, open_token_cache
from alignrec_geo.errors import InputError

N = 2 * CHUNK + 10
ARRAYS = {"rows": ArraySpec((N, 2), "float16"), "none": ArraySpec((0, 3), "float32")}


def opened(root, key="k"):
    return open_token_cache(root, "text", [key], ARRAYS, N)


def fill(store, most=99):
    for chunk in list(store.remaining())[:most]:
        store.arrays["rows"][list(chunk)] = np.array(chunk)[:, None]
        store.commit(chunk.stop, {f"item {chunk.start}": "broken"})


def test_an_interrupted_cache_goes_on_where_it_was(tmp_path):
    with opened(tmp_path) as store:
        fill(store, most=1)
        store.arrays["rows"][CHUNK] = 7  # written and not committed
    with opened(tmp_path) as store:
        assert (store.done, store.complete) == (CHUNK, False)
        assert list(store.remaining()) == [range(CHUNK, 2 * CHUNK), range(2 * CHUNK, N)]
        fill(store)
    with opened(tmp_path) as store:
        assert store.complete
        assert list(store.remaining()) == []
        assert store.notes == {f"item {start}": "broken" for start in (0, CHUNK, 2 * CHUNK)}
        assert np.array_equal(store.arrays["rows"][:, 1], np.arange(N))
        assert not store.arrays["rows"].flags.writeable
        assert store.arrays["none"].shape == (0, 3)


def test_another_key_is_another_cache(tmp_path):
    with opened(tmp_path) as first:
        fill(first)
    with opened(tmp_path, "other") as store:
        assert store.done == 0
        assert store.folder != first.folder


@pytest.mark.parametrize(
    "damage",
    [
        "array cut",
        "array missing",
        "array header",
        "array is a pipe",
        "state cut",
        "state list",
        "done",
        "done is no whole number",
        "other shape",
        "other items",
    ],
)
def test_a_damaged_cache_is_made_again(tmp_path, damage):
    with opened(tmp_path) as store:
        fill(store)
    rows, state = store.folder / "rows.npy", store.folder / "state.json"
    if damage == "array cut":
        rows.write_bytes(rows.read_bytes()[:-4])
    elif damage == "array missing":
        rows.unlink()
    elif damage == "array header":
        rows.write_bytes(b"\x93NUMPY\x01\x00\x01\x00[")
    elif damage == "array is a pipe":
        rows.unlink()
        os.mkfifo(rows)
    elif damage == "done is no whole number":
        state.write_text(json.dumps({**json.loads(state.read_text()), "done": float(N)}))
    elif damage == "state list":
        state.write_text("[1]")
    elif damage == "done":
        state.write_text(json.dumps({**json.loads(state.read_text()), "done": N + 1}))
    elif damage == "state cut":
        state.write_text(state.read_text()[:20])
    elif damage == "other shape":
        np.save(rows, np.zeros((N, 3), dtype=np.float16))
    else:
        state.write_text(json.dumps({**json.loads(state.read_text()), "items": N + 1}))
    with opened(tmp_path) as store:
        assert store.done == 0
        assert not store.arrays["rows"].any()


def test_a_pipe_in_place_of_the_lock_is_not_waited_for(tmp_path):
    with opened(tmp_path) as store:
        fill(store)
    (store.folder / "lock").unlink()
    os.mkfifo(store.folder / "lock")
    with opened(tmp_path) as store:
        assert store.done == N


def test_two_do_not_fill_one_cache(tmp_path):
    with opened(tmp_path):
        with pytest.raises(InputError, match="another process is filling this cache"), opened(tmp_path):
            pass
        with opened(tmp_path, "other") as store:
            assert store.done == 0
    with opened(tmp_path) as store:
        assert store.done == 0


@pytest.fixture(autouse=True)
def _said_nothing_yet():
    token_cache._warn_once.cache_clear()


def in_memory(store, caplog, *words):
    """The work goes on with one warning."""
    fill(store)
    assert store.complete
    assert np.array_equal(store.arrays["rows"][:, 1], np.arange(N))
    [record] = caplog.records
    assert "the token cache cannot be written" in record.getMessage()
    for word in words:
        assert word in record.getMessage()


def test_a_disk_that_is_too_small_is_one_warning(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(token_cache.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 100}))
    with opened(tmp_path) as store:
        in_memory(store, caplog, "takes 0.0 GB and 0.0 GB are free")
    monkeypatch.setattr(token_cache.os, "sysconf", lambda _: 10)
    with pytest.raises(InputError, match=r"are too much for the memory; name another folder with cache="):
        opened(tmp_path).__enter__()


def test_a_folder_that_cannot_be_made_is_one_warning(tmp_path, caplog):
    (tmp_path / "file").touch()
    with opened(tmp_path / "file") as store:
        in_memory(store, caplog, "Not a directory")


def test_no_home_is_one_warning(monkeypatch, caplog):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(token_cache, "cache_folder", homeless)
    with opened(None) as store:
        in_memory(store, caplog, "home directory")


def test_a_disk_that_fills_up_meanwhile_is_one_warning(tmp_path, monkeypatch, caplog):
    with opened(tmp_path) as store:
        fill(store, most=1)

        def full(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(token_cache, "write_json", full)
        in_memory(store, caplog, "No space left")
    monkeypatch.undo()
    with opened(tmp_path) as store:
        assert store.done == CHUNK


def test_a_finished_cache_is_used_where_it_cannot_be_locked(tmp_path, monkeypatch, caplog):
    with opened(tmp_path) as store:
        fill(store)

    def refuse(*_):
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(locks.fcntl, "flock", refuse)
    with opened(tmp_path) as store:
        assert store.complete
        assert store.folder is not None
    assert not caplog.records


@pytest.mark.filterwarnings("error")
def test_odd_files_of_a_cache_are_made_again_without_a_wait(tmp_path):
    with opened(tmp_path) as store:
        folder = store.folder
        store.commit(N, {})
    state = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(json.dumps({**state, "done": float(N)}))
    with opened(tmp_path) as store:
        assert next(store.remaining()) == range(CHUNK)
    (folder / "lock").unlink()
    os.mkfifo(folder / "lock")
    with opened(tmp_path) as store:  # without the folder, with a warning
        assert next(store.remaining()) == range(CHUNK)


def test_disks_that_reserve_nothing_are_written_all_the_same(tmp_path, monkeypatch):
    def fallocate(code):
        def refuse(*_):
            raise OSError(code, "no")

        return refuse

    monkeypatch.setattr(token_cache.os, "posix_fallocate", fallocate(errno.EOPNOTSUPP))
    with opened(tmp_path) as store:
        fill(store)
        assert store.folder is not None
    monkeypatch.setattr(token_cache.os, "posix_fallocate", fallocate(errno.ENOSPC))
    with opened(tmp_path, "other") as store:
        assert store.folder is None


def test_notes_that_are_no_texts_are_made_again(tmp_path):
    with opened(tmp_path) as store:
        fill(store)
        folder = store.folder
    state = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(json.dumps({**state, "notes": {"1": 3}}))
    with opened(tmp_path) as store:
        assert store.done == 0


@pytest.mark.parametrize("finished", [True, False])
def test_where_it_cannot_be_locked_only_a_finished_cache_is_used(tmp_path, monkeypatch, caplog, finished):
    with opened(tmp_path) as store:
        fill(store, most=99 if finished else 1)

    def refuse(*_):
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(locks.fcntl, "flock", refuse)
    with opened(tmp_path) as store:
        assert (store.folder is not None) == finished
    if finished:  # nor one that cannot be read

        def unreadable(*_, **__):
            raise OSError(errno.EIO, "Input/output error")

        monkeypatch.setattr(token_cache, "read_json", unreadable)
        with opened(tmp_path) as store:
            assert store.folder is None
