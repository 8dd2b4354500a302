import json

import polars as pl
import pytest

from alignrec_geo.dataset.readers.json_lines import json_columns, json_series
from alignrec_geo.errors import InputError


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
