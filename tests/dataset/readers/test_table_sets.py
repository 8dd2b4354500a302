import gzip
from pathlib import Path

import polars as pl
import pytest

from alignrec_geo.dataset.readers.delimited import TextLayout
from alignrec_geo.dataset.readers.table import TableConfig, read_table
from alignrec_geo.dataset.readers.table_sets import common_schema, read_table_set, table_name
from alignrec_geo.errors import InputError
from tests.dataset.toys import write

ONE = pl.DataFrame({"user": ["a", "b"], "item": [1, 2]})
TWO = pl.DataFrame({"item": [3, 1], "user": ["c", "a"]})


@pytest.fixture
def spark(tmp_path: Path) -> Path:
    folder = tmp_path / "clicks"
    for day, frame in (("2024-01-01", ONE), ("2024-01-02", TWO)):
        (folder / f"day={day}").mkdir(parents=True)
        frame.write_parquet(folder / f"day={day}" / "part-0.parquet")
        (folder / f"day={day}" / ".part-0.parquet.crc").write_bytes(b"x")
    (folder / "_SUCCESS").touch()
    return folder


def test_a_folder_with_partitions_is_one_table(spark: Path) -> None:
    table = read_table_set(spark, ["user", "item", "day"])
    assert table.frame.rows() == [
        ("a", 1, "2024-01-01"),
        ("b", 2, "2024-01-01"),
        ("c", 3, "2024-01-02"),
        ("a", 1, "2024-01-02"),
    ]
    assert table.where(3) == "row 2 of day=2024-01-02/part-0.parquet"
    data = read_table(TableConfig(interactions=spark, timestamp="day"))
    assert data.name == "clicks"
    assert data.counts()["interactions"] == 3
    assert data.interactions.timestamp is not None


def test_patterns_and_lists_equal_one_file(tmp_path: Path) -> None:
    write(tmp_path / "a1.csv", "user,item\na,1\nb,2\n")
    (tmp_path / "a2.csv").write_bytes(b"item,user\n3,c\n1,a\n")
    (tmp_path / "a3.csv.gz").write_bytes(gzip.compress(b"user,item\nd,4\n"))
    wanted = [("a", "1"), ("b", "2"), ("c", "3"), ("a", "1")]
    found = read_table_set(tmp_path / "a[12].csv", ["user", "item"])
    assert found.frame.rows() == wanted
    assert found.where(2) == "line 2 of a2.csv"
    assert read_table_set([tmp_path / "a1.csv", tmp_path / "a2.csv"], ["user", "item"]).frame.rows() == wanted
    assert read_table_set(tmp_path / "*.csv*", ["user", "item"]).frame.rows() == [*wanted, ("d", "4")]
    odd = write(tmp_path / "[1].csv", "user,item\nx,9\n")
    assert read_table_set(odd).frame.rows() == [("x", "9")]  # a name, not a pattern


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, r"d: no table in this folder"),
        (
            {"a.csv": "user,item\n1,2\n", "b.jsonl": "{}"},
            r"d: files of one format are needed, there are: \.csv .*a\.csv",
        ),
        ({"a.csv": "user,item\n1,2\n", "b.csv": "user,thing\n1,2\n"}, r"b\.csv: no column 'item'"),
        (
            {"a.jsonl": '{"user": 1, "item": 2}', "b.jsonl": '{"user": "x", "item": 2}'},
            "'user' holds Int64 in .*a.jsonl",
        ),
        ({"readme.md": "x"}, r"readme\.md: unknown table format"),
    ],
)
def test_folders_that_are_no_table(tmp_path: Path, files: dict[str, str], message: str) -> None:
    (tmp_path / "d").mkdir()
    for name, text in files.items():
        write(tmp_path / "d" / name, text)
    with pytest.raises(InputError, match=message):
        read_table_set(tmp_path / "d", ["user", "item"])


def test_patterns_that_match_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\*\.csv: no file matches"):
        read_table_set(tmp_path / "*.csv")


def test_bad_rows_name_their_file(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "user,item,stars\na,1,5\nb,2\nc,3,x\n")
    write(tmp_path / "b.csv", "user,item,stars\nd,4,5\ne,5,4\nf,,3\ng,6,5\nh,7,5\n")
    with pytest.raises(InputError, match=r"a\.csv: line 3 has 2 fields; 3 columns are named; skip_bad_rows=True"):
        read_table(TableConfig(interactions=tmp_path / "*.csv", rating="stars"))
    data = read_table(TableConfig(interactions=tmp_path / "*.csv", rating="stars", skip_bad_rows=True))
    assert data.notes[0].endswith(
        "*.csv: 3 of 8 rows cannot be used and were left out: line 3 of a.csv has 2 fields; 3 columns are named; "
        "line 4 of a.csv holds 'x' in column 'stars'; a number is needed; line 4 of b.csv has no id in column 'item'"
    )
    assert data.counts()["interactions"] == 5


def test_names(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    assert table_name(tmp_path / "shop") == "shop"
    assert table_name(tmp_path / "shop" / "*" / "part-*.csv") == "shop"
    assert table_name([tmp_path / "a.tsv.gz", tmp_path / "b.tsv.gz"]) == "a"


def test_layout_holds_for_every_file(tmp_path: Path) -> None:
    for name, text in (("a.csv", "user;item\nä;1\n"), ("b.csv", "user;item\nö;2\n")):
        (tmp_path / name).write_bytes(text.encode("cp1252"))
    table = read_table_set(tmp_path / "*.csv", None, TextLayout(encoding="windows-1252"))
    assert table.frame.rows() == [("ä", "1"), ("ö", "2")]
    assert list(table.notes) == ["columns are separated by ';', as the first lines show; separator= overrules that"]


def test_types_of_all_files_together() -> None:
    files = [Path("a.parquet"), Path("b.parquet"), Path("c.parquet")]
    schemas = [pl.Schema({"user": kind, "n": pl.Int32}) for kind in (pl.Null, pl.String, pl.Null)]
    assert common_schema("t", files, schemas) == pl.Schema({"user": pl.String, "n": pl.Int32})
    wider = [*schemas[:2], pl.Schema({"user": pl.String, "n": pl.Float64})]
    assert common_schema("t", files, wider)["n"] == pl.Float64
    with pytest.raises(InputError, match=r"t: column 'n' is in one of a\.parquet and b\.parquet and not in the other"):
        common_schema("t", files[:2], [schemas[0], pl.Schema({"user": pl.String})])
    with pytest.raises(InputError, match=r"t: column 'user' holds String in b\.parquet and Int64 in c\.parquet"):
        common_schema("t", files, [*schemas[:2], pl.Schema({"user": pl.Int64, "n": pl.Int32})])


def test_folders_that_only_look_like_partitions(tmp_path: Path) -> None:
    for folder in ("day=1", "=2", "plain"):
        (tmp_path / "d" / folder).mkdir(parents=True)
        ONE.write_parquet(tmp_path / "d" / folder / "p.parquet")
    with pytest.raises(InputError, match="day"):
        read_table_set(tmp_path / "d", ["user", "item", "day"])
    assert read_table_set(tmp_path / "d", ["user", "item"]).frame.height == 6
