from datetime import date, datetime, timedelta, timezone

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alignrec_geo.dataset.readers.rows import Table
from alignrec_geo.dataset.readers.times import time_column
from alignrec_geo.errors import InputError
from tests.dataset.readers.test_columns import table


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([5, 7], [5, 7]),
        (["881250949", "7"], [881250949, 7]),
        ([5.0, 7.0], [5, 7]),
        (["5.0", " 7"], [5, 7]),
        ([2**63 - 1, -(2**63)], [2**63 - 1, -(2**63)]),
        (["9007199254740993", "9007199254740992"], [9007199254740993, 9007199254740992]),
        ([2**60 + 1, 7], [2**60 + 1, 7]),
        (["1970-01-02", "1970-01-01T00:00:05"], [86400, 5]),
        (["1970-01-01T01:00:00+01:00", "1970-01-01 00:00:05Z", "1970-01-01 00:00:07 UTC"], [0, 5, 7]),
        (["1970-01-01 01:00:00 +0100", "1970-01-01T00:00:05.000"], [0, 5]),
        (["1970-01-01T00:00:01.5Z", "1970-01-01T00:00:01,25"], [1_500_000, 1_250_000]),
        (["1970-01-01T00:00:01.000000001", "1970-01-01"], [1_000_000_001, 0]),
        (["0001-01-01", "9999-12-31T23:59:59"], [-62135596800, 253402300799]),
        ([date(1970, 1, 2), date(1970, 1, 1)], [86400, 0]),
        ([datetime(1970, 1, 1, 0, 1), datetime(1969, 12, 31, 23, 59)], [60, -60]),
        ([datetime(1970, 1, 1, 0, 0, 1, 500_000), datetime(1969, 12, 31, 23, 59, 59, 1)], [1_500_000, -999_999]),
        ([datetime(1970, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))], [0]),
    ],
)
def test_times_in_all_their_forms(values: list[object], wanted: list[int]) -> None:
    times = time_column(table(values), "x")
    assert times.to_list() == wanted
    assert times.dtype == pl.Int64


def test_fractions_of_numbers_stay() -> None:
    for values in ([5.0, 7.9], ["5", "7.9"]):
        times = time_column(table(list(values)), "x")
        assert times.to_list() == [5.0, 7.9]
        assert times.dtype == pl.Float64


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_datetimes_of_every_unit_keep_their_order(unit: str) -> None:
    units = pl.Series("x", [3, 1, 2], dtype=pl.Int64)
    for kind in (pl.Datetime(unit), pl.Datetime(unit, "Europe/Berlin")):  # type: ignore[arg-type]
        times = time_column(Table(pl.DataFrame({"x": units.cast(kind)}), "t"), "x")
        per = 1_000 if unit == "ms" else 1
        assert times.to_list() == [3 * per, 1 * per, 2 * per]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["1", "1e24"], "row 2 holds '1e24' in column 'x'; a number below 2\\^63 is needed"),
        (["1", "99999999999999999999"], "row 2 holds '99999999999999999999'"),
        ([1.0, 1e24], "row 2 holds '1e\\+24'"),
        (["2024-05-01", "1714564800"], "row 2 holds '1714564800' in column 'x'; a number, or an ISO date"),
        (["2024-05-01", "0000-05-01"], "row 2 holds '0000-05-01' .* years 1 to 9999"),
        (["2024-05-01", "10000-05-01"], "row 2 holds '10000-05-01'"),
        (["2024-05-01T12:00:00.1", "2024-05-01T12:00:60"], "row 2 holds"),
        (["2024-05-01", "nan"], "row 2 holds 'nan'"),
        (["1", "nan"], "row 2 holds 'nan'"),
        ([True], "holds Boolean; times are numbers or ISO text"),
        (["1970-01-01", "yesterday"], "row 2 holds 'yesterday' in column 'x'; a number, or an ISO date"),
        (["1", "2", "later"], "row 3 holds 'later'"),
        (["1", None], "row 2 holds nothing"),
        ([1.0, float("inf")], "row 2 holds 'inf' in column 'x'; a number is needed"),
        ([date(1970, 1, 1), None], "row 2 holds nothing in column 'x'; a time is needed"),
        ([[1]], "times are numbers or ISO text"),
    ],
)
def test_what_is_no_time_is_named(values: list[object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        time_column(table(values), "x")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1)), min_size=1, max_size=5))
def test_iso_text_keeps_the_order_of_times(moments: list[datetime]) -> None:
    times = time_column(table([moment.isoformat() for moment in moments]), "x").to_list()
    unit = timedelta(microseconds=1) if any(moment.microsecond for moment in moments) else timedelta(seconds=1)
    assert times == [(moment - datetime(1970, 1, 1)) // unit for moment in moments]


def test_dates_out_of_range_are_named() -> None:
    far = [pl.Series("x", [0, 10**8], dtype=pl.Int32).cast(pl.Date), pl.Series("x", [0, 2**62]).cast(pl.Datetime("ms"))]
    for values in far:
        with pytest.raises(InputError, match=r"row 2 holds '\d+' in column 'x'; a time of the years 1 to"):
            time_column(Table(pl.DataFrame({"x": values}), "t"), "x")
    with pytest.raises(InputError, match=r"row 2 holds '1500-01-01' .*1678 to 2262"):
        time_column(table(["1970-01-01T00:00:01.000000001", "1500-01-01"]), "x")
    with pytest.raises(InputError, match="row 1 holds '18446744073709551615'"):
        time_column(Table(pl.DataFrame({"x": pl.Series([2**64 - 1], dtype=pl.UInt64)}), "t"), "x")


def test_categories_are_texts() -> None:
    values = pl.Series("x", ["1970-01-02", "1970-01-01"])
    for kind in (pl.Categorical(), pl.Enum(["1970-01-01", "1970-01-02"])):
        assert time_column(Table(pl.DataFrame({"x": values.cast(kind)}), "t"), "x").to_list() == [86400, 0]
