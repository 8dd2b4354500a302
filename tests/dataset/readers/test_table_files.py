import gzip
import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alignrec_geo.dataset.readers.table_files import read_table_file
from alignrec_geo.errors import InputError
from tests.dataset.toys import write

ROWS = [{"user": "ann", "item": "7", "stars": "4.5"}, {"user": "bob é", "item": "007", "stars": "3"}]


def delimited(separator: str) -> str:
    lines = [separator.join(ROWS[0]), *(separator.join(row.values()) for row in ROWS)]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", delimited(",")),
        ("t.tsv", delimited("\t")),
        ("t.inter", delimited("\t")),
        ("t.txt", delimited(";")),
        ("t.dat", delimited("::")),
        ("t.data", delimited("|")),
        ("t.csv", delimited(",").replace("\n", "\r\n")),
        ("t.csv", "\ufeff" + delimited(",")),
        ("t.csv", delimited(",").rstrip("\n")),
        ("t.csv", delimited(",").replace("\nbob", "\n\nbob") + "\n"),
        ("t.jsonl", "\n".join(json.dumps(row) for row in ROWS)),
        ("t.ndjson", "\n\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS)),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_every_text_format_gives_the_same_rows(tmp_path: Path, name: str, content: str, packed: bool) -> None:
    path = tmp_path / (name + ".gz" * packed)
    path.write_bytes(gzip.compress(content.encode(), mtime=0) if packed else content.encode())
    table = read_table_file(path)
    assert table.frame.to_dicts() == ROWS
    assert read_table_file(path, ["item"]).frame.to_dicts() == [{"item": row["item"]} for row in ROWS]


def test_parquet_keeps_types_and_reaches_into_fields(tmp_path: Path) -> None:
    frame = pl.DataFrame({"id": [1, 2], "about": [{"plot": {"short": "A."}}, {"plot": {"short": "B."}}]})
    frame.write_parquet(tmp_path / "t.parquet")
    read = read_table_file(tmp_path / "t.parquet", ["id", "about.plot.short"])
    assert read.frame.to_dicts() == [{"id": 1, "about.plot.short": "A."}, {"id": 2, "about.plot.short": "B."}]
    assert read_table_file(tmp_path / "t.parquet").frame.equals(frame)
    for missing in ("title", "about.year", "id.x"):
        with pytest.raises(InputError, match=f"no column '{missing}'; there are: 'id', 'about'"):
            read_table_file(tmp_path / "t.parquet", ["id", missing])


def test_rows_are_named_by_their_line(tmp_path: Path) -> None:
    table = read_table_file(write(tmp_path / "t.csv", "a,b\n1,2\n\n3,4\n"))
    assert [table.where(0), table.where(1)] == ["line 2", "line 4"]
    quoted = read_table_file(write(tmp_path / "q.csv", 'a,b\n1,"two\nlines"\n3,4\n'))
    assert quoted.where(1) == "line 4"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"", "is empty"),
        ("t.jsonl", b"\n\n", "is empty"),
        ("t.csv", b"a,b\n1,2\n1,2,3\n", "line 3 has 3 fields; 2 columns are named"),
        ("t.csv", b"a,b\n1,2\n1,\xe9\n", "line 3 is not UTF-8 text"),
        (
            "t.csv",
            b'a,b\n1,2\n1,"x\n',
            r"t\.csv: a quote opens in line 3 and is not closed",
        ),
        ("t.xlsx", b"PK", r"unknown table format '\.xlsx'; allowed are \.csv"),
        ("t.csv.gz", gzip.compress(b"a,b\n" + b"1,2\n" * 9999, mtime=0)[:-20], "not a readable gzip file, or damaged"),
        ("t.csv.gz", b"a,b\n1,2\n", "not a readable gzip file"),
        ("t.jsonl.gz", gzip.compress(b'{"a": 1}\n' * 9999, mtime=0)[:-20], "not a readable gzip file, or damaged"),
        ("t.parquet", b"PAR1 nothing", "not a readable parquet file, or damaged"),
        ("t.jsonl", b'{"a": 1}\n{"a": \n', "line 2 is not JSON"),
        ("t.jsonl", b'{"a": 1}\n[1]\n', "line 2 is not a JSON object"),
        ("t.jsonl", b'{"a": 1, "b": {"c": 2}}\n', "no column 'x'; there are: 'a', 'b', 'b.c'"),
        ("t.csv", b"a,b\n1,2\n", "no column 'x'; there are: 'a', 'b'; a file without a header line needs columns="),
    ],
)
def test_unreadable_files_get_one_clear_error(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_table_file(path, ["x"])
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_truncated_parquet(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pl.DataFrame({"a": range(10_000)}).write_parquet(path)
    path.write_bytes(path.read_bytes()[:-100])
    for columns in (None, ["a"]):
        with pytest.raises(InputError, match="not a readable parquet file, or damaged"):
            read_table_file(path, columns)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    for name in ("t.csv", "t.parquet", "t.jsonl"):
        with pytest.raises(InputError, match="no such file"):
            read_table_file(tmp_path / name)
    (tmp_path / "t.csv").mkdir()
    with pytest.raises(InputError, match="is a folder; a file is needed"):
        read_table_file(tmp_path / "t.csv")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), min_size=1), st.integers()),
        min_size=1,
        max_size=8,
    )
)
def test_any_text_survives_csv_and_json_lines(tmp_path: Path, rows: list[tuple[str, int]]) -> None:
    frame = pl.DataFrame({"a": [a for a, _ in rows], "b": [str(b) for _, b in rows]})
    frame.write_csv(tmp_path / "t.csv", quote_style="non_numeric")
    frame.write_ndjson(tmp_path / "t.jsonl")
    assert read_table_file(tmp_path / "t.csv").frame.rows() == frame.rows()
    assert read_table_file(tmp_path / "t.jsonl").frame.rows() == frame.rows()
