import json

import polars as pl
import pytest

from alignrec_geo.dataset.readers.columns import id_column
from alignrec_geo.dataset.readers.json_lines import json_series, json_table
from alignrec_geo.errors import InputError
from alignrec_geo.typing import Int64


def json_columns(content: list[bytes], label: str, columns: list[str] | None = None) -> tuple[pl.DataFrame, Int64]:
    table = json_table(content, label, columns)
    assert table.lines is not None
    return table.frame, table.lines


def lines(*records: object) -> list[bytes]:
    return [json.dumps(record).encode() + b"\n" for record in records]


def test_ragged_objects_have_nulls_and_rows_keep_their_lines() -> None:
    content = [*lines({"id": 1, "a": {"b": "x"}}), b"\n", *lines({"id": 2, "c": True})]
    frame, numbers = json_columns(content, "f", ["id", "a.b", "c"])
    assert frame.rows() == [(1, "x", None), (2, None, True)]
    assert numbers.tolist() == [1, 3]
    everything, _ = json_columns(content, "f")
    assert everything.rows() == [(1, '{"b": "x"}', None), (2, None, True)]


def test_a_field_that_is_always_null_is_there() -> None:
    frame, _ = json_columns(lines({"id": 1, "a": None}), "f", ["a"])
    assert frame.rows() == [(None,)]
    with pytest.raises(InputError, match="f: no column 'b'; there are: 'id', 'a'"):
        json_columns(lines({"id": 1, "a": None}), "f", ["b"])


@pytest.mark.parametrize(
    ("values", "kind", "wanted"),
    [
        ([1, None, 3], pl.Int64, [1, None, 3]),
        ([1, 2.5], pl.Float64, [1.0, 2.5]),
        ([True, None], pl.Boolean, [True, None]),
        ([1, "a", None], pl.String, ["1", "a", None]),
        ([2**70, 1], pl.String, [str(2**70), "1"]),
        ([[1, 2], None], pl.List(pl.Float64), [[1.0, 2.0], None]),
        ([["a", 1], []], pl.List(pl.String), [["a", "1"], []]),
        ([["a", None, "b"], "c"], pl.String, ["a, b", "c"]),
        ([None], pl.String, [None]),
    ],
)
def test_columns_get_the_type_that_holds_all_values(
    values: list[object], kind: pl.DataType, wanted: list[object]
) -> None:
    series = json_series("x", values)
    assert series.dtype == kind
    assert series.to_list() == wanted


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", "is nested 5001 deep; the limit is 100 .*json_depth"),
        (b'{"a": 1, "a": 2}', "names the field 'a' twice"),
        (b'{"a": {"b": 1, "b": 2}}', "names the field 'b' twice"),
        (b'{"a": ' + b"1" * 5000 + b"}", "is not JSON that can be read"),
        (b'{"a": "\\ud800"}', "holds half of a character"),
        (b'{"a": "\xff"}', "is not UTF-8 text"),
        (b'{"a": 1} {"a": 2}', "is not JSON"),
        (b"null", "is not a JSON object"),
        ('{"a": 1}'.encode("utf-16"), "is not"),
    ],
)
def test_lines_that_cannot_be_read_are_named(line: bytes, message: str) -> None:
    with pytest.raises(InputError, match=f"^t: line 2:? {message}") as caught:
        json_columns([b'{"a": 1}\n', line + b"\n"], "t")
    assert "\n" not in str(caught.value)


def test_the_limit_of_nesting_can_be_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    line = b'{"a":' + b"[" * 150 + b"]" * 150 + b"}"
    monkeypatch.setenv("ALIGNREC_LIMITS", "json_depth=200")
    assert json_columns([line], "t")[0].height == 1
    assert json_columns([b'{"a": "' + b"[" * 999 + b'"}'], "t")[0]["a"].to_list() == ["[" * 999]


def test_marks_missing_ends_and_numbers() -> None:
    frame, lines = json_columns(
        [b'\xef\xbb\xbf{"a": 9007199254740993, "b": NaN}\n', b"\n", b'{"a": 1.5, "b": "x"}'], "t"
    )
    assert frame.to_dicts() == [{"a": "9007199254740993", "b": None}, {"a": "1.5", "b": "x"}]
    assert lines.tolist() == [1, 3]
    assert json_columns([b'{"a": 18446744073709551616}'], "t")[0]["a"].to_list() == ["18446744073709551616"]
    assert json_columns([b'{"a": "\\ud83d\\ude00"}'], "t")[0]["a"].to_list() == ["\N{GRINNING FACE}"]
    with pytest.raises(InputError, match="t: is UTF-16 text; save it as UTF-8"):
        json_columns(['{"a": 1}'.encode("utf-16")], "t")


@pytest.mark.parametrize("other", ["a", 1, ["b"], {"x": 1}])
def test_lists_and_objects_are_no_ids(other: object) -> None:
    for value in (["a", "b"], {"id": 1}):
        table = json_table(lines({"item": other, "user": 1}, {"item": value, "user": 2}), "f")
        assert id_column(table, "user").to_list() == ["1", "2"]
        with pytest.raises(InputError, match="f: column 'item' holds lists or objects; ids are text or whole numbers"):
            id_column(table, "item")
