"""The streamed import makes the data set of the one in memory: same rows, splits, notes and errors."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alignrec_geo.dataset.readers.table import TableConfig
from alignrec_geo.dataset.splits import SplitConfig
from alignrec_geo.dataset.streaming import splitting
from alignrec_geo.dataset.streaming.database import Database
from alignrec_geo.dataset.streaming.importing import import_table
from alignrec_geo.dataset.streaming.memory import check_split_fits
from alignrec_geo.errors import InputError
from tests.conftest import Done
from tests.dataset.streaming.both_ways import clicks, compare
from tests.dataset.toys import write

RULES = ("random", "leave-last", "global-time", "cold-items", "cold-users", "all-train")


@pytest.mark.parametrize(("rule", "file"), [*((rule, "clicks.csv") for rule in RULES), ("random", "clicks.parquet")])
def test_every_rule_splits_alike(tmp_path: Path, rule: Any, file: str) -> None:
    clicks().write_csv(tmp_path / "clicks.csv")
    clicks().write_parquet(tmp_path / "clicks.parquet")
    found = compare(
        tmp_path,
        interactions=tmp_path / file,
        timestamp="time",
        rating="stars",
        rule=SplitConfig(rule=rule, seed=3),
    )
    assert found["counts"]["interactions"] < 250
    assert found["source"].get("user_ids") == ("whole numbers" if file == "clicks.parquet" else None)


@pytest.mark.parametrize(
    "options",
    [
        {"rating": "stars", "min_rating": 1.5, "k_core": 4},
        {"weight": "stars"},
        {"weight": "stars", "split": "part", "split_unused": ("none",)},
        {"split": "part", "split_unused": ("none",), "drop_unused": True, "timestamp": "time"},
        {"split": "part", "split_unused": ("none",), "rating": "stars", "min_rating": 2, "k_core": 2},
        {"k_core": 40},
        {"rating": "stars", "min_rating": 9},
        {"min_rating": 2},
        {"split": "part"},
        {"rule": SplitConfig(rule="leave-last")},
        {"user": "who"},
    ],
)
def test_filters_weights_and_splits_of_a_column(tmp_path: Path, options: dict[str, Any]) -> None:
    clicks().write_csv(tmp_path / "clicks.csv")
    compare(tmp_path, **options)


@pytest.mark.parametrize(
    "times",
    [
        ["5", "3", "4.5"],
        ["2024-05-01", "2024-05-02", "2024-05-01T00:00:01Z"],
        ["2024-05-01", "2024-05-01T00:00:00.25", "2024-05-01T02:00:00+02:00"],
        ["2024-05-01", "2024-05-01T00:00:00.000000001"],
        ["2024-05-01", "2024-05-01T00:00:00.000000001", "1500-01-01"],
        ["20240501", "20240502", "2024-05-03"],
        ["9223372036854775807", "1"],
        ["5", "x"],
        ["5", ""],
    ],
)
@pytest.mark.parametrize("skip", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_times_are_of_one_kind_whatever_part_they_are_in(tmp_path: Path, times: list[str], skip: bool) -> None:
    column = [times[0]] * 20 + times[1:] * 3 + [times[0]] * 5
    rows = [f"u{n % 9},i{n % 4},{time}" for n, time in enumerate(column)]
    write(tmp_path / "clicks.csv", "\n".join(["user,item,time", *rows]) + "\n")
    compare(tmp_path, timestamp="time", skip_bad_rows=skip)


@pytest.mark.parametrize(
    "ids",
    [
        ["1.0", "2.0", "10.0"],
        ["1.0", "2", "10.0"],
        ["7", "07", "x", "7 "],
        [" a", "a", "b ", "c"],
        ["Ä", "ß", "é", "z", "ⅷ"],
        ["99999999999999999999", "5"],
        ["'--", "a;b", "%", "NULL"],
    ],
)
@pytest.mark.parametrize("strip", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_ids_are_the_same_text(tmp_path: Path, ids: list[str], strip: bool) -> None:
    rows = [f"{ids[0] if n < 15 else ids[n % len(ids)]},i{n % 5}" for n in range(40)]
    write(tmp_path / "clicks.csv", "\n".join(["user,item", *rows]) + "\n")
    compare(tmp_path, strip_ids=strip)
    columns = pl.read_csv(tmp_path / "clicks.csv", infer_schema=False)
    columns.write_parquet(tmp_path / "clicks.parquet")
    compare(tmp_path, interactions=tmp_path / "clicks.parquet", strip_ids=strip)


BAD = {
    "fields": "u9,i1,1,2",
    "id": ",i1,1",
    "number": "u1,i1,many",
    "weight": "u1,i1,-1",
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("options", [{}, {"skip_bad_rows": True}, {"skip_empty_ids": True}])
def test_bad_rows_are_named_with_file_and_line(tmp_path: Path, bad: str, options: dict[str, Any]) -> None:
    good = [f"u{n % 9},i{n % 4},{n + 1}" for n in range(40)]
    (tmp_path / "parts").mkdir()
    write(tmp_path / "parts" / "1.csv", "\n".join(["user,item,n", *good]) + "\n")
    write(tmp_path / "parts" / "2.csv", "\n".join(["user,item,n", *good[:30], BAD[bad], *good[30:], BAD[bad]]) + "\n")
    found = compare(tmp_path, interactions=tmp_path / "parts", weight="n", **options)
    said = found.get("error") or " ".join(found["notes"])
    assert "line 32 of 2.csv" in said or "2.csv: line 32 has 4 fields" in said


def test_a_table_of_which_most_is_bad(tmp_path: Path) -> None:
    rows = [f"u{n},i{n % 3},{'x' if n % 5 else n}" for n in range(60)]
    write(tmp_path / "clicks.csv", "\n".join(["user,item,n", *rows]) + "\n")
    assert "more than half" in compare(tmp_path, rating="n", skip_bad_rows=True)["error"]
    rows = [f"u{n},i{n % 3},{'x' if n < 20 else n}" for n in range(60)]  # the first parts are nothing but bad
    write(tmp_path / "clicks.csv", "\n".join(["user,item,n", *rows]) + "\n")
    assert "20 of 60 rows" in compare(tmp_path, rating="n", skip_bad_rows=True)["notes"][0]


IDS = st.sampled_from(["1", "2", "10", "1.0", "a", "A", " a", "é"])
ROW = st.tuples(IDS, IDS, st.integers(0, 3), st.sampled_from(["0", "1", "2", "-1"]), st.sampled_from(["1", "2.5"]))


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(ROW, min_size=1, max_size=60),
    k_core=st.integers(1, 3),
    rule=st.sampled_from([None, "random", "leave-last", "cold-users"]),
    options=st.sets(st.sampled_from(["timestamp", "rating", "weight"])),
)
def test_any_table(tmp_path: Path, rows: list[tuple[Any, ...]], k_core: int, rule: Any, options: set[str]) -> None:
    frame = pl.DataFrame(rows, schema=["user", "item", "timestamp", "part", "rating"], orient="row")
    frame.with_columns(weight="rating").write_csv(tmp_path / "clicks.csv")
    split = {"split": "part", "split_unused": ("-1",)} if rule is None else {"rule": SplitConfig(rule=rule)}
    options |= {"timestamp"} if rule == "leave-last" else set()
    compare(tmp_path, k_core=k_core, **split, **{name: name for name in options})


def test_what_cannot_be_streamed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clicks().write_csv(tmp_path / "clicks.csv")
    config = TableConfig(interactions=tmp_path / "clicks.csv")
    for memory, said in (("4 apples", "takes a size such as 4GB"), ("900MB", "any import takes 1.5GB")):
        with pytest.raises(InputError, match=said):
            import_table(config, tmp_path / "shop", memory)
    write(tmp_path / "clicks.jsonl", '{"user": 1, "item": 2}\n')
    with pytest.raises(InputError, match="JSON lines are not read in parts"):
        import_table(TableConfig(interactions=tmp_path / "clicks.jsonl"), tmp_path / "shop")
    with pytest.raises(InputError, match=r"to split 1,000,000,000 interactions by the rule 'random' takes 23\.0GB"):
        check_split_fits(4_000_000_000, 1_000_000_000, "random")
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(InputError, match=r"pip install 'alignrec-geo\[stream\]'"):
        import_table(config, tmp_path / "shop")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clicks.csv", "clicks.jsonl"]


def test_the_verb_streams(verb: Callable[..., Done], tmp_path: Path) -> None:
    clicks().write_csv(tmp_path / "clicks.csv")
    line = ("data", "import", "table", tmp_path / "clicks.csv", "--timestamp", "time")
    streamed = verb(*line, "--out", tmp_path / "shop", "--memory", "2GB", "--json")
    assert streamed.code == 0, streamed.err
    whole = verb(*line, "--out", tmp_path / "shop", "--overwrite", "--json")
    assert {**json.loads(streamed.out), "seconds": 0} == {**json.loads(whole.out), "seconds": 0}
    assert "merging: 300 rows" in streamed.err
    verb(*line, "--out", tmp_path / "shop", "--memory", "2GB").refused("already exists", "--overwrite")
    verb(*line, "--out", tmp_path / "other", "--memory", "2").refused("--memory 2 is too little")
    assert verb("data", "describe", tmp_path / "shop").code == 0


@pytest.mark.realdata
@pytest.mark.slow  # the whole of ml-1m and Baby, both ways
@pytest.mark.parametrize("name", ["ml-1m", "baby"])
def test_real_data(shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.undo()  # parts of the size that people get
    file = shared_data / name / f"{name}.inter.gz"
    if not file.is_file():
        pytest.skip(f"no {file}")
    item, split = ("movieID", "x_label_bars20") if name == "ml-1m" else ("itemID", "x_label")
    found = compare(tmp_path, interactions=file, user="userID", item=item, split=split, split_unused=("-1",))
    assert found["counts"]["interactions"] > 100_000
    compare(tmp_path, interactions=file, user="userID", item=item, k_core=10)


@pytest.mark.parametrize(("rows", "rule"), [(300, "random"), (300, "given"), (100, "distinct")])
def test_row_groups_are_even_however_many_rows_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int, rule: str
) -> None:
    monkeypatch.setattr(splitting, "ROWS", 50)
    frame = clicks(rows)
    frame = frame.with_columns(user=pl.int_range(pl.len())) if rule == "distinct" else frame
    frame.write_csv(tmp_path / "clicks.csv")
    options = {"split": "part", "split_unused": ("none",)} if rule == "given" else {}
    pairs = len(compare(tmp_path, **options)["files"]["interactions.parquet"]["user"])
    file = pq.ParquetFile(tmp_path / "b" / "shop" / "interactions.parquet")
    sizes = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
    assert sizes == [50] * (pairs // 50) + [pairs % 50] * bool(pairs % 50)


def test_a_memory_or_a_disk_that_is_too_small_is_said() -> None:
    class Full:
        def __init__(self, words: str) -> None:
            self.words = words

        def sql(self, query: str) -> None:
            raise duckdb.OutOfMemoryException(self.words)

    with pytest.raises(InputError, match=r"memory='2\.0GB' is too little for these interactions; try memory='4\.0GB'"):
        Database(Full("could not allocate block"), 2_000_000_000).number("select 1")
    with pytest.raises(OSError, match="No space left on device"):
        Database(Full("see max_temp_directory_size"), 2_000_000_000).frame("select 1")


def test_a_folder_of_images_that_is_not_there_is_said_before_anything_is_read(tmp_path: Path) -> None:
    clicks().write_csv(tmp_path / "clicks.csv")
    assert "no such" in compare(tmp_path, images=tmp_path / "absent")["error"]


def test_a_parquet_file_without_a_wanted_column(tmp_path: Path) -> None:
    clicks().write_parquet(tmp_path / "clicks.parquet")
    said = compare(tmp_path, interactions=tmp_path / "clicks.parquet", user="who")["error"]
    assert "no column 'who'; there are: 'user', 'item'" in said
