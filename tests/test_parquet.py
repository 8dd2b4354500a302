import uuid
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal

from alignrec_geo.errors import InputError
from alignrec_geo.parquet import parquet_columns, parquet_schema, read_parquet

FRAME = pl.DataFrame(
    {
        "text": ["a", None, "ü"],
        "bytes": [b"\xff", b"", None],
        "int": pl.Series([1, 2, None], dtype=pl.Int16),
        "big": pl.Series([2**64 - 1, 0, 1], dtype=pl.UInt64),
        "float": pl.Series([0.5, None, 1], dtype=pl.Float32),
        "truth": [True, None, False],
        "kind": pl.Series(["x", "y", "x"], dtype=pl.Categorical),
        "price": [Decimal("1.50"), None, Decimal("2.00")],
        "day": [date(2024, 5, 1), None, date(1969, 1, 1)],
        "us": [datetime(2024, 5, 1, 12, 0, 0, 123456), None, datetime(1, 1, 1)],
        "ns": pl.Series([1, None, 3], dtype=pl.Datetime("ns", "UTC")),
        "took": [timedelta(seconds=1), None, timedelta(0)],
        "list": [["a", "b"], [], None],
        "array": pl.Series([[1.0, 2.0], [3.0, 4.0], None], dtype=pl.Array(pl.Float32, 2)),
        "about": [{"plot": {"short": "A."}}, None, {"plot": None}],
        "a.b": [1, 2, 3],
    }
)


def test_types_come_out_as_polars_gives_them(tmp_path: Path) -> None:
    path = tmp_path / "a=1" / "t.parquet"
    path.parent.mkdir()
    FRAME.write_parquet(path)
    assert_frame_equal(read_parquet(path), pl.read_parquet(path, hive_partitioning=False))
    assert parquet_columns(path) == FRAME.columns
    assert read_parquet(path, ["about", "int", "nothing"]).columns == ["int", "about"]
    assert read_parquet(path, ["a.b"])["a.b"].to_list() == [1, 2, 3]
    FRAME.clear().write_parquet(path)
    assert read_parquet(path).schema == pl.read_parquet(path, hive_partitioning=False).schema


def test_absent_lists_of_a_fixed_size_that_pyarrow_does_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = pq.ParquetFile.read

    def older(file: pq.ParquetFile, columns: list[str]) -> pa.Table:
        if {"array", "deep"} & set(columns):
            raise pa.ArrowInvalid("Expected all lists to be of size=2 but index 3 had size=0")
        return read(file, columns=columns)

    monkeypatch.setattr(pq.ParquetFile, "read", older)
    path = tmp_path / "t.parquet"
    frame = FRAME.select("array", "text", deep=pl.struct("array", "int"), when="us")
    frame.write_parquet(path)
    assert_frame_equal(read_parquet(path), pl.read_parquet(path))
    assert_frame_equal(read_parquet(path, ["array"]), frame.select("array"))


@pytest.mark.skipif(not hasattr(pa, "json_"), reason="this pyarrow does not write them")
def test_types_of_other_writers(tmp_path: Path) -> None:
    key = uuid.UUID(int=7)
    table = pa.table(
        {
            "uuid": pa.array([key.bytes, None], pa.uuid()),
            "json": pa.array(['{"a": 1}', None], pa.json_()),
            "dictionary": pa.array(["a", "b"], pa.dictionary(pa.int8(), pa.string())),
            "large": pa.array(["a", None], pa.large_string()),
            "half": pa.array(np.array([0.5, 1.0], dtype=np.float16)),
            "when": pa.array([datetime(2024, 5, 1, tzinfo=UTC)] * 2, pa.timestamp("ms", "+02:00")),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    read = read_parquet(tmp_path / "t.parquet")
    assert read["uuid"].to_list() == [str(key), None]
    assert read["json"].to_list() == ['{"a": 1}', None]
    assert read["dictionary"].cast(pl.String).to_list() == ["a", "b"]
    assert read["half"].to_list() == [0.5, 1.0]
    assert read["when"].dt.epoch("s").to_list() == [1714521600] * 2


@pytest.mark.parametrize("kept", [0, 3, 12, 200, -1, -9, -100])
def test_damaged_files_are_one_line(tmp_path: Path, kept: int, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "t.parquet"
    FRAME.write_parquet(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:kept])
    with pytest.raises(InputError, match=r"t\.parquet: not a readable parquet file, or damaged"):
        read_parquet(path)
    for place in range(4, len(whole), 97):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        with suppress(InputError):
            read_parquet(path)
    assert "panicked" not in capfd.readouterr().err


def test_what_frames_cannot_hold_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": pa.array([Decimal(1)], pa.decimal256(60, 2)), "y": [1]}), path)
    with pytest.raises(InputError, match=r"t\.parquet: column 'x' holds decimal256\(60, 2\), a type that is not read"):
        read_parquet(path)
    assert read_parquet(path, ["y"]).height == 1
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"]), path)
    with pytest.raises(InputError, match="two columns are called 'x'"):
        read_parquet(path)
    text = pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xff"]).buffers())
    pq.write_table(pa.table({"x": text}), path)
    with pytest.raises(InputError, match="not a readable parquet file, or damaged"):
        read_parquet(path)
    with pytest.raises(InputError, match="is a folder; a parquet file is needed"):
        read_parquet(tmp_path)


def test_a_small_file_for_many_rows_is_over_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": pa.nulls(30_000_000, pa.int8())}), path)
    with pytest.raises(InputError, match=r"holds 30000000 rows in \d+ bytes; the limit is 1000 .*unpacked_ratio"):
        read_parquet(path)
    monkeypatch.setenv("ALIGNREC_LIMITS", "unpacked_ratio=1e9")
    assert read_parquet(path).height == 30_000_000


def test_a_schema_is_in_the_order_of_the_file(tmp_path: Path) -> None:
    frame = pl.DataFrame({name: [1] for name in "qwertyuiopasdfgh"})
    frame.write_parquet(tmp_path / "t.parquet")
    assert list(parquet_schema(tmp_path / "t.parquet").items()) == list(frame.schema.items())
