from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from alignrec_geo.dataset import Dataset
from alignrec_geo.dataset.readers.matching import check_any_match, match_note
from alignrec_geo.dataset.readers.table import TableConfig, read_table
from alignrec_geo.errors import InputError
from tests.conftest import Done
from tests.dataset.toys import write


def ids(*values: str) -> pl.Series:
    return pl.Series("id", values)


def test_what_matches_and_what_does_not_is_said() -> None:
    assert match_note(ids("a", "b"), ids("b", "a"), "i.csv") == "i.csv: 2 of 2 items matched"
    assert match_note(ids("a", "b", "c", "d", "e"), ids("a"), "i.csv") == (
        "i.csv: 1 of 5 items matched, not for example 'b', 'c', 'd'"
    )
    assert match_note(ids("a"), ids("a", "x"), "i.csv") == (
        "i.csv: 1 of 1 items matched; 1 of its 2 ids are of no item, for example 'x'"
    )


@pytest.mark.parametrize(
    ("here", "there", "hint"),
    [
        (("7", "13"), ("007", "013"), "; 2 would match without leading zeros"),
        (("a", "b"), (" a", "b "), "; 2 would match without the blanks around them"),
        (("Ab", "c"), ("ab", "x"), "; 1 would match in lower case"),
        (("1.0", "x"), ("1", "y"), "; 1 would match without '.0' at the end"),
        (("a", "b"), ("x", "y"), "'b'"),
    ],
)
def test_no_match_is_an_error_that_shows_both_sides(here: tuple[str, ...], there: tuple[str, ...], hint: str) -> None:
    with pytest.raises(InputError) as caught:
        check_any_match(ids(*here), ids(*there), "i.csv")
    assert str(caught.value).startswith(f"i.csv: 0 of 2 items matched; its ids are for example {there[0]!r}, ")
    assert f"those of the interactions {here[0]!r}, {here[1]!r}" in str(caught.value)
    assert str(caught.value).endswith(hint)


CLICKS = "user,item\n1.0,101.0\n1.0,102.0\n2.0,101.0\n2.0,103.0\n2.0,102.0\n"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("item,title\n101,One\n102,Two\n104,Four\n", "i.csv"),
        ('{"item": 101, "title": "One"}\n{"item": 102, "title": "Two"}\n{"item": 104, "title": "Four"}\n', "i.jsonl"),
    ],
)
def test_ids_written_as_floats_match_whole_numbers(tmp_path: Path, content: str, name: str) -> None:
    items = write(tmp_path / name, content)
    data = read_table(TableConfig(interactions=write(tmp_path / "c.csv", CLICKS), items=items, title="title"))
    assert data.items.select("id", "title").rows() == [("101", "One"), ("102", "Two"), ("103", None)]
    assert data.notes[-1] == (
        f"{items}: 2 of 3 items matched, not for example '103'; 1 of its 3 ids are of no item, for example '104'"
    )


def test_items_that_match_nothing_end_the_import(tmp_path: Path, verb: Callable[..., Done]) -> None:
    clicks = write(tmp_path / "c.csv", CLICKS)
    items = write(tmp_path / "i.csv", "item,title\na1,One\n")
    for more in ((), ("--all-items",)):
        done = verb(
            "data", "import", "table", clicks, "--items", items, "--title", "title", "--out", tmp_path / "d", *more
        )
        done.refused("i.csv: 0 of 3 items matched; its ids are for example 'a1'", "'101'")
    assert not (tmp_path / "d").exists()
    frame = pl.DataFrame({"user": [1, 1], "item": [1, 2]})
    with pytest.raises(InputError, match="items frame: 0 of 2 items matched"):
        Dataset.from_frame(frame, items=pl.DataFrame({"id": ["a"], "title": ["A"]}))


def test_rows_without_ids_are_left_out_where_asked(tmp_path: Path, verb: Callable[..., Done]) -> None:
    clicks = write(tmp_path / "c.csv", "user,item\na,x\n,x\na,y\nb,x\nb, \nb,y\n")
    items = write(tmp_path / "i.csv", "item,title\nx,X\n,none\n")
    refused = verb("data", "import", "table", clicks, "--out", tmp_path / "d")
    refused.refused("c.csv: line 3 has no id in column 'user'; --skip-empty-ids leaves")
    done = verb("data", "import", "table", clicks, "--items", items, "--skip-empty-ids", "--out", tmp_path / "d")
    assert done.code == 0
    data = Dataset.open(tmp_path / "d")
    assert data.counts()["interactions"] == 4
    assert data.notes[0] == f"{clicks}: 2 rows without an id in column 'user' or 'item' were left out (first: line 3)"
    assert data.notes[1] == f"{items}: 1 rows without an id in column 'item' were left out (first: line 3)"
    frame = pl.DataFrame({"user": ["a", None, "b", "b"], "item": ["x", "x", "x", "y"]})
    with pytest.raises(InputError, match="interactions frame: row 2 has no id"):
        Dataset.from_frame(frame)
    assert Dataset.from_frame(frame, skip_empty_ids=True).counts()["interactions"] == 3
