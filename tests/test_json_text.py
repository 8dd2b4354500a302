"""JSON within limits, and the records of a run."""

import json

import pytest

from alignrec_geo.errors import InputError
from alignrec_geo.files import read_json, read_object
from alignrec_geo.json_text import parse_json
from alignrec_geo.limits import VARIABLE
from alignrec_geo.records import RunResult, read_epochs, read_record


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[NaN]", "NaN"),
        ("[-Infinity]", "Infinity"),
        ("1e999", "too large"),
        ("9" * 5000, "4300"),
        ("[" * 101 + "]" * 101, "json_depth"),
        ("[" * 200_000, "json_depth"),
        ('{"a":' * 150 + "1" + "}" * 150, "json_depth"),
        ('["\\ud800"]', "surrogate"),
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
    ],
)
def test_what_is_no_json_is_one_line(text, words):
    with pytest.raises(InputError, match=words) as caught:
        parse_json(text, "there")
    assert str(caught.value).startswith("there: ")
    assert len(str(caught.value)) < 250


def test_what_is_fine(monkeypatch, tmp_path):
    assert parse_json("[" * 100 + "]" * 100, "x")
    assert parse_json('"\\ud83d\\ude00"', "x") == "😀"
    (tmp_path / "bom.json").write_text("\ufeff[1]", encoding="utf-8")
    assert read_json(tmp_path / "bom.json") == [1]
    with pytest.raises(InputError, match=r"bom\.json: holds a list; a JSON object is needed"):
        read_object(tmp_path / "bom.json")
    with pytest.raises(InputError, match="is a folder"):
        read_json(tmp_path)
    monkeypatch.setenv(VARIABLE, "json_depth=200")
    assert parse_json("[" * 150 + "]" * 150, "x")


RESULT = {"metrics": {"recall@20": 0.1}, "validation": {}, "best_epoch": 1, "epochs": 2, "seconds": 3}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"metrics": [1]}, "metrics"),
        ({"metrics": {"recall@20": "0.1"}}, "metrics"),
        ({"best_epoch": None}, "best_epoch"),
        ({"epochs": True}, "epochs"),
        ({"seconds": {}}, "seconds"),
    ],
)
def test_a_wrong_field_of_a_result_is_named(tmp_path, change, words):
    path = tmp_path / "result.json"
    path.write_text(json.dumps({**RESULT, "more": 1}))
    assert read_record(path, RunResult) == {**RESULT, "more": 1}
    path.write_text(json.dumps({**RESULT, **change}))
    with pytest.raises(InputError, match=rf"result\.json: {words}"):
        read_record(path, RunResult)
    path.write_text("[]")
    with pytest.raises(InputError, match="a JSON object is needed"):
        read_record(path, RunResult)


def test_a_wrong_line_of_the_epochs_is_named(tmp_path):
    good = json.dumps({"epoch": 0, "loss": {"bpr": 0.5}, "seconds": 1.0, "lr": 0.1})
    log = tmp_path / "metrics.jsonl"
    assert read_epochs(log) == []
    log.write_text(f"{good}\n{good}\n" + '{"epoch": 2, "lo')  # a killed run leaves half a line
    assert len(read_epochs(log)) == 2
    for line in ("", "{", "[]", "{}", good.replace("0.5", '"x"'), good.replace("0.5", "NaN"), "\u2028"):
        log.write_text(f"{good}\n{line}\n")
        with pytest.raises(InputError, match=r"metrics\.jsonl, line 2: "):
            read_epochs(log)
