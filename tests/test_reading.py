import os

import polars as pl
import pytest

from alignrec_geo.errors import InputError
from alignrec_geo.limits import DEFAULTS, limit, over_limit
from alignrec_geo.reading import check_plain_file, first_line, reading


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyError("descr"), r"x\.npy: not a readable matrix, or damaged \(KeyError: 'descr'\)"),
        (RecursionError("deep"), r"x\.npy: not a readable matrix: it is nested too deeply"),
        (MemoryError(), r"x\.npy: not a readable matrix, or too large for this machine's memory"),
        (PermissionError(13, "denied"), r"x\.npy: no permission to read it"),
        (FileNotFoundError(2, "none"), r"x\.npy: no such file"),
        (IsADirectoryError(21, "folder"), r"x\.npy: is a folder; a matrix is needed"),
        (pl.exceptions.PanicException("index out of bounds"), r"x\.npy: .*damaged \(index out of bounds\)"),
    ],
)
def test_every_failure_becomes_one_error_that_names_the_file(error: BaseException, words: str) -> None:
    with pytest.raises(InputError, match=words), reading("x.npy", "matrix"):
        raise error


@pytest.mark.parametrize("error", [InputError("as it is"), KeyboardInterrupt(), SystemExit(3)])
def test_what_is_no_damage_passes(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, reading("x.npy", "matrix"):
        raise error
    assert caught.value is error


def test_a_long_message_is_cut() -> None:
    assert len(first_line(ValueError("word " * 1000))) == 200


def test_pipes_and_devices_are_refused(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(InputError, match="is a pipe, socket or device"):
            check_plain_file(path)
    with pytest.raises(InputError, match="is a folder"):
        check_plain_file(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        check_plain_file(tmp_path / "none")
    (tmp_path / "file").write_text("x")
    assert check_plain_file(tmp_path / "file") == tmp_path / "file"


def test_a_limit_is_raised_by_the_environment(monkeypatch) -> None:
    monkeypatch.setenv("ALIGNREC_LIMITS", "image_pixels=1e9, json_depth=7")
    assert limit("image_pixels") == 10**9
    assert limit("json_depth") == 7
    assert limit("yaml_aliases") == DEFAULTS["yaml_aliases"]
    assert "ALIGNREC_LIMITS=json_depth=NUMBER" in str(over_limit("a", "is deep", "json_depth"))


@pytest.mark.parametrize("value", ["speed=3", "json_depth=0", "json_depth=nan", "json_depth=", "json_depth=inf"])
def test_a_limit_that_makes_no_sense_is_refused(monkeypatch, value: str) -> None:
    monkeypatch.setenv("ALIGNREC_LIMITS", value)
    with pytest.raises(InputError, match="ALIGNREC_LIMITS"):
        limit("json_depth")
