import polars as pl
import pytest

from alignrec_geo.dataset.readers.columns import id_column, rating_column, split_column, weight_column
from alignrec_geo.dataset.readers.rows import Table
from alignrec_geo.dataset.readers.times import time_column
from alignrec_geo.errors import InputError


def table(values: list[object], kind: pl.DataType | None = None) -> Table:
    return Table(pl.DataFrame({"x": pl.Series("x", values, dtype=kind, strict=False)}), "clicks.csv")


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (["007", " a "], ["007", " a "]),
        ([1, 2], ["1", "2"]),
        ([1.0, 2.0], ["1", "2"]),
        ([1.5, 2.0], ["1.5", "2"]),
        ([True, False], ["true", "false"]),
    ],
)
def test_ids_of_any_plain_type_become_text(values: list[object], wanted: list[str]) -> None:
    assert id_column(table(values), "x").to_list() == wanted


@pytest.mark.parametrize("values", [["a", None, "b"], ["a", "  "], [1.0, None]])
def test_a_row_without_id_is_named(values: list[object]) -> None:
    with pytest.raises(InputError, match=r"clicks\.csv: row 2 has no id in column 'x'"):
        id_column(table(values), "x")


def test_nested_ids_are_refused() -> None:
    with pytest.raises(InputError, match="ids are text or whole numbers"):
        id_column(table([[1, 2]]), "x")


@pytest.mark.parametrize(
    "values",
    [
        ["0", "1", "2"],
        [0, 1, 2],
        [0.0, 1.0, 2.0],
        ["0.0", "1.0", "2.0"],
        ["train", "Valid", " TEST "],
        ["Train", "validation", "test"],
        ["train", "val", "2"],
        ["train", "dev", "test"],
    ],
)
def test_split_values_in_all_their_spellings(values: list[object]) -> None:
    assert split_column(table(values), "x").to_list() == [0, 1, 2]


def test_other_split_values_are_named_with_row_and_hint() -> None:
    message = r"row 2 holds 'holdout' in split column 'x'; allowed are 0 or train, .*split_unused='holdout'"
    with pytest.raises(InputError, match=message):
        split_column(table(["train", "holdout", "other"]), "x")
    assert split_column(table([0, -1, 2]), "x", ["-1"]).to_list() == [0, -1, 2]
    with pytest.raises(InputError, match=r"row 1 holds nothing in split column"):
        split_column(table([None, "train"]), "x")


def test_ratings() -> None:
    assert rating_column(table(["3", " 4.5"]), "x").to_list() == [3.0, 4.5]
    assert rating_column(table([3, 4]), "x").dtype == pl.Float32
    for values, said in ((["3", "good"], "'good'"), ([3.0, None], "nothing"), ([3.0, float("nan")], "'nan'")):
        with pytest.raises(InputError, match=f"row 2 holds {said} in column 'x'; a number is needed"):
            rating_column(table(values), "x")
    with pytest.raises(InputError, match="ratings are numbers"):
        rating_column(table([[1]]), "x")


def test_decimal_commas() -> None:
    frame = pl.DataFrame({"x": ["3,5", "-1", " 2,25 "], "y": ["1.250", "1", "2"], "t": ["0,5", "1", "2"]})
    german = Table(frame, "t", decimal=",")
    assert rating_column(german, "x").to_list() == [3.5, -1, 2.25]
    assert time_column(german, "t").to_list() == [0.5, 1, 2]
    with pytest.raises(InputError, match=r"row 1 holds '1\.250' in column 'y'; a number is needed$"):
        rating_column(german, "y")  # a thousand and a quarter, or a hundred and twenty-five hundredths?
    with pytest.raises(
        InputError, match="row 1 holds '3,5' in column 'x'; a number is needed; if the comma is its deci"
    ):
        rating_column(Table(frame, "t", decimal="."), "x")
    with pytest.raises(InputError, match=r"a number is needed$"):
        rating_column(Table(frame, "t"), "x")


@pytest.mark.parametrize("value", ["0", "-1", "nan", "1e60", "x", None])
def test_weights_are_above_zero(value: str | None) -> None:
    assert weight_column(Table(pl.DataFrame({"w": ["1", "0.5"]}), "t"), "w").to_list() == [1, 0.5]
    with pytest.raises(InputError, match=r"row 2 holds .* in column 'w'; a "):
        weight_column(Table(pl.DataFrame({"w": ["1", value]}), "t"), "w")
