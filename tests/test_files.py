import json

import pytest
from safetensors import SafetensorError

from alignrec_geo.errors import InputError
from alignrec_geo.files import atomic_path, is_within, naming, read_json, sha256_of, write_json


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


def test_a_path_that_is_no_text_is_written_as_json_can(tmp_path):
    odd = b"/data/\xff".decode(errors="surrogateescape")
    write_json(tmp_path / "a.json", {"path": odd, "name": "Töpfe"})
    assert read_json(tmp_path / "a.json") == {"path": odd, "name": "Töpfe"}
    assert (tmp_path / "a.json").read_bytes().isascii()


def test_a_full_disk_gets_the_name_of_the_file(tmp_path):
    full = SafetensorError("I/O error: No space left on device (os error 28)")
    with pytest.raises(OSError, match="No space left") as raised, naming(tmp_path / "a"):
        raise full
    assert (raised.value.errno, raised.value.filename) == (28, str(tmp_path / "a"))
    with pytest.raises(ValueError, match="other"), naming(tmp_path / "a"):
        raise ValueError("other")
