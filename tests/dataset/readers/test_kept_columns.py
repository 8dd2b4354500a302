"""Columns of items that are kept: their types, and the whole way from a file to a condition."""

import datetime

import polars as pl
import pytest

from alignrec_geo.dataset import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.models import Popularity

CLICKS = pl.DataFrame({"user": [n // 4 for n in range(40)], "item": [f"i{n * 3 % 11}" for n in range(40)]})
ITEMS = pl.DataFrame(
    {
        "sku": [f"i{n}" for n in range(11)],
        "price": [f" {n},50 " if n else None for n in range(11)],
        "zip": [f"0{n}" for n in range(11)],
        "stock": [n % 2 == 0 for n in range(11)],
        "tags": [["a", f"t{n % 3}"] for n in range(11)],
        "made": [datetime.date(2024, 1, 1 + n) for n in range(11)],
        "mixed": [f"{n}" if n else "none" for n in range(11)],
    }
)
KEPT = ["price", "zip", "stock", "tags", "made", "mixed"]


def test_types():
    data = Dataset.from_frame(CLICKS, items=ITEMS, item_id="sku", item_columns=KEPT, decimal=",")
    kinds = dict(data.items.select(KEPT).schema)
    assert kinds == dict(zip(KEPT, [pl.Float64, pl.String, pl.Boolean, pl.String, pl.Date, pl.String], strict=True))
    assert data.items.columns == ["id", "title", "text", "image", *KEPT]
    row = data.items.row(by_predicate=pl.col("id") == "i4", named=True)
    assert (row["price"], row["zip"], row["stock"], row["tags"]) == (4.5, "04", True, "a, t1")


def test_from_a_file_to_a_recommendation(verb, tmp_path):
    CLICKS.write_csv(tmp_path / "clicks.csv")
    ITEMS.drop("tags").write_csv(tmp_path / "items.csv")
    line = ("data", "import", "table", tmp_path / "clicks.csv", "--items", tmp_path / "items.csv", "--item-id", "sku")
    more = ("--decimal", ",", "--item-column", "price", "--item-column", "stock", "--out", tmp_path / "shop")
    assert verb(*line, *more).code == 0
    model = Popularity.from_dataset(Dataset.open(tmp_path / "shop"))
    model.save(tmp_path / "run")
    found = verb(
        "recommend", tmp_path / "run", "--user", "3", "--where", "price > 5 and stock = 'true'", "--seen", "keep"
    )
    assert found.code == 0, found.err
    listed = model.recommend("3", k=20, where="price > 5 and stock = 'true'", seen="keep")["3"]
    assert {one.item for one in listed} == {"i6", "i8", "i10"}
    verb(*line, "--item-column", "prize", "--out", tmp_path / "x").refused(
        "no column 'prize'; there are: 'sku', 'price'"
    )
    verb(*line[:4], "--item-column", "price", "--out", tmp_path / "x").refused("--item-column needs a file of items")


@pytest.mark.parametrize(("suffix", "whole"), [("parquet", True), ("jsonl", True), ("csv", False)])
def test_ids_that_were_whole_numbers_come_back_as_such(verb, tmp_path, suffix, whole):
    clicks = CLICKS.with_columns(item=pl.col("item").str.strip_prefix("i").cast(pl.Int32))
    {"parquet": clicks.write_parquet, "jsonl": clicks.write_ndjson, "csv": clicks.write_csv}[suffix](
        tmp_path / f"c.{suffix}"
    )
    assert verb("data", "import", "table", tmp_path / f"c.{suffix}", "--out", tmp_path / "shop").code == 0
    Popularity.from_dataset(Dataset.open(tmp_path / "shop")).save(tmp_path / "run")
    assert verb("recommend", tmp_path / "run", "--all-users", "-k", 2, "--out", tmp_path / "r.parquet").code == 0
    kind = pl.Int64 if whole else pl.String
    assert (
        pl.read_parquet(tmp_path / "r.parquet").schema["user"]
        == pl.read_parquet(tmp_path / "r.parquet")["item"].dtype
        == kind
    )


def test_columns_that_cannot_be_kept():
    for given, words in (
        (["title"], r"every data set has a column 'title' already \(id, title, text, image\)"),
        (["prize"], "items frame: no column 'prize'"),
        ({"price"}, "item_columns: a list of names of columns is needed"),
        ([None], "item_columns: the name of a column is needed"),
    ):
        frame = ITEMS.with_columns(title=pl.lit("x"))
        with pytest.raises(InputError, match=words):
            Dataset.from_frame(CLICKS, items=frame, item_id="sku", item_columns=given)
    with pytest.raises(InputError, match="give it with items="):
        Dataset.from_frame(CLICKS, item_columns=["price"])
