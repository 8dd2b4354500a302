import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alignrec_geo import Dataset
from alignrec_geo.dataset.readers.delimited import TextLayout, read_delimited
from alignrec_geo.dataset.readers.table import TableConfig, read_table
from alignrec_geo.errors import InputError
from tests.dataset.toys import write

LINES = [  # user, item, stars, when, part
    "ann,mug,5,2024-01-01,train",
    "ann,pen,four,2024-01-02,train",
    "bob,mug",
    "bob,pen,1,yesterday,train",
    ",cup,1,2024-01-04,test",
    "cid,cup,3,2024-01-05,holdout",
    "cid,mug,nan,2024-01-06,test",
    "dan,pen,-1,2024-01-07,test",
    "dan,mug,2,2024-01-08,train",
    "eve,mug,2,2024-01-08,train",
    "eve,pen,2,2024-01-09,valid",
    "fay,pen,2,2024-01-09,valid",
    "fay,mug,2,2024-01-09,valid",
    "fay,cup,2,2024-01-09,train",
]
GOOD = [LINES[row] for row in (0, 8, 9, 10, 11, 12, 13)]


def test_every_kind_of_bad_row_is_left_out_and_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "c.csv", "\n".join(["user,item,stars,when,part", *LINES]))
    options = {"weight": "stars", "rating": "stars", "timestamp": "when", "split": "part"}
    with pytest.raises(InputError, match="line 4 has 2 fields"):
        read_table(TableConfig(interactions=path, **options))
    data = read_table(TableConfig(interactions=path, skip_bad_rows=True, **options))
    assert data.notes == [
        f"{path}: 7 of 14 rows cannot be used and were left out: line 3 holds 'four' in column 'stars'; a number is "
        "needed; line 4 has 2 fields; 5 columns are named; line 5 holds 'yesterday' in column 'when'; a number, or an "
        "ISO date or time of the years 1 to 9999 such as 2024-05-01T12:30:00.250 is needed; …"
    ]
    clean = write(tmp_path / "d.csv", "\n".join(["user,item,stars,when,part", *GOOD]))
    assert data.fingerprint() == read_table(TableConfig(interactions=clean, **options)).fingerprint()


def test_more_bad_rows_than_good_ones_are_a_wrong_layout(tmp_path: Path) -> None:
    path = write(tmp_path / "c.csv", "user,item,stars\nann,mug,a\nann,pen,b\nbob,pen,3\n")
    with pytest.raises(InputError, match="2 of 3 rows cannot be used, which is more than half: line 2 holds 'a'"):
        read_table(TableConfig(interactions=path, rating="stars", skip_bad_rows=True))
    lines = write(tmp_path / "c.jsonl", "{\n}\n[]\n")
    with pytest.raises(InputError, match="3 of 3 rows cannot be used, which is more than half: line 1 is not JSON"):
        read_table(TableConfig(interactions=lines, skip_bad_rows=True))


def test_json_lines_parquet_frames_and_items(tmp_path: Path) -> None:
    records = [{"user": user, "item": item, "n": 1} for user, item in ("am", "ap", "bm", "bp", "cm")]
    lines = [*map(json.dumps, records), "{broken", json.dumps({"user": "d", "n": 2})]
    items = write(tmp_path / "i.jsonl", '{"item": "m", "t": "Mug"}\n[1]\n{"t": "Nothing"}\n{"item": "p", "t": "Pen"}\n')
    path = write(tmp_path / "c.jsonl", "\n".join(lines))
    data = read_table(TableConfig(interactions=path, skip_bad_rows=True, items=items, title="t"))
    assert data.counts()["interactions"] == 5
    assert data.notes[0].startswith(f"{path}: 2 of 7 rows cannot be used and were left out: line 6 is not JSON (")
    assert data.notes[0].endswith("line 7 has no id in column 'item'")
    assert data.notes[1].startswith(f"{items}: 2 of 4 rows cannot be used and were left out: line 2 is not a JSON obj")
    assert data.items["title"].to_list() == ["Mug", "Pen"]
    frame = pl.DataFrame({"user": ["a", "b", "c", None], "item": ["m", "m", "p", "m"], "n": [1, 2, 0, 3]})
    frame.write_parquet(tmp_path / "c.parquet")
    read = read_table(TableConfig(interactions=tmp_path / "c.parquet", weight="n", skip_bad_rows=True))
    made = Dataset.from_frame(frame, weight="n", skip_bad_rows=True)
    assert read.fingerprint() == made.fingerprint()
    assert made.notes[0] == (
        "interactions frame: 2 of 4 rows cannot be used and were left out: row 3 holds '0' in column 'n'; a weight, a "
        "number above 0, is needed; row 4 has no id in column 'user'"
    )


FIELDS = st.lists(st.sampled_from(["a", '"x,y"', '"two\nlines, of text"', "", "5"]), min_size=1, max_size=4)


@settings(max_examples=80, deadline=None)
@given(st.lists(FIELDS, min_size=1, max_size=8))
def test_rows_of_another_length_go_and_all_others_stay(rows: list[list[str]]) -> None:
    text = "\n".join(["u,i", *(",".join(row) for row in rows)]).encode()
    table = None
    try:
        table = read_delimited(text, "t", TextLayout(skip_bad_rows=True, options=True), ",")
    except InputError as error:
        assert "more than half" in str(error)  # noqa: PT017
    odd = [row for row in rows if len(row) != 2 and row != [""]]
    wanted = [tuple(field.strip('"') or None for field in row) for row in rows if len(row) == 2]
    wanted = [row for row in wanted if any(row)]
    if table is not None:
        assert table.left_out.count == len(odd)
        assert table.frame.rows() == wanted
    else:
        assert len(odd) > len(wanted)


def test_ids_with_spaces_are_kept_and_noted_or_stripped(tmp_path: Path) -> None:
    path = write(tmp_path / "c.csv", "user,item\nann, mug\nann,mug\nbob ,pen\nbob,pen\n")
    kept = read_table(TableConfig(interactions=path))
    assert kept.notes == [
        f"{path}: 1 ids in column 'user' have spaces around them and keep them (first: line 4, 'bob '); 1 of them are "
        "other ids than the same without; strip_ids=True takes them off",
        f"{path}: 1 ids in column 'item' have spaces around them and keep them (first: line 2, ' mug'); 1 of them are "
        "other ids than the same without; strip_ids=True takes them off",
    ]
    assert kept.items["id"].to_list() == [" mug", "mug", "pen"]
    bare = read_table(TableConfig(interactions=path, strip_ids=True))
    assert bare.items["id"].to_list() == ["mug", "pen"]
    assert bare.users["id"].to_list() == ["ann", "bob"]
    assert bare.notes[0].endswith("have spaces around them, which were taken off (first: line 4, 'bob ')")
