import json

import numpy as np
import pytest

from alignrec_geo.content import token_cache
from alignrec_geo.content.token_cache import CHUNK, ArraySpec, open_token_cache
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


@pytest.mark.parametrize("damage", ["array cut", "array missing", "state cut", "other shape", "other items"])
def test_a_damaged_cache_is_made_again(tmp_path, damage):
    with opened(tmp_path) as store:
        fill(store)
    rows, state = store.folder / "rows.npy", store.folder / "state.json"
    if damage == "array cut":
        rows.write_bytes(rows.read_bytes()[:-4])
    elif damage == "array missing":
        rows.unlink()
    elif damage == "state cut":
        state.write_text(state.read_text()[:20])
    elif damage == "other shape":
        np.save(rows, np.zeros((N, 3), dtype=np.float16))
    else:
        state.write_text(json.dumps({**json.loads(state.read_text()), "items": N + 1}))
    with opened(tmp_path) as store:
        assert store.done == 0
        assert not store.arrays["rows"].any()


def test_two_do_not_fill_one_cache(tmp_path):
    with opened(tmp_path):
        with pytest.raises(InputError, match="another process is filling this cache"), opened(tmp_path):
            pass
        with opened(tmp_path, "other") as store:
            assert store.done == 0
    with opened(tmp_path) as store:
        assert store.done == 0


def test_a_disk_that_is_too_small_is_said_before(tmp_path, monkeypatch):
    monkeypatch.setattr(token_cache.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 100}))
    with pytest.raises(InputError, match=r"takes 0\.0 GB and 0\.0 GB are free; name another folder"), opened(tmp_path):
        pass
