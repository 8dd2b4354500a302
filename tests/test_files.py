import json

import pytest

from alignrec_geo.errors import InputError
from alignrec_geo.files import atomic_path, is_within, read_json, sha256_of, write_json


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")

    def fail():
        with atomic_path(target) as staging:
            staging.write_text("half")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        fail()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_json_and_hash(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"ü": [1, 2.5]})
    assert read_json(path) == {"ü": [1, 2.5]}
    assert json.loads(path.read_text()) == {"ü": [1, 2.5]}
    path.write_text("{")
    with pytest.raises(InputError, match="not valid JSON"):
        read_json(path)
    with pytest.raises(InputError, match="no such file"):
        read_json(tmp_path / "b.json")
    (tmp_path / "empty").write_bytes(b"")
    assert sha256_of(tmp_path / "empty").startswith("e3b0c442")


def test_a_name_that_no_file_can_have_lies_nowhere(tmp_path):
    assert not is_within(f"{tmp_path}/a\0b", tmp_path)
    assert is_within(f"{tmp_path}/ab", tmp_path)
