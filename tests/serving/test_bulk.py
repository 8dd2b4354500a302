"""Recommendations for many: the same as one by one, in any blocks, in every format, all of a file or nothing."""

import os

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from alignrec_geo.dataset import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.models import Popularity
from alignrec_geo.serving import TopItems, bulk, frame_files
from tests.serving.drawn import drawn

COLUMNS = ["user", "rank", "item", "title", "score", "source", "cold"]


@pytest.fixture(scope="module")
def top():
    return drawn()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"unknown": "popular"},
        {"include_cold": True, "unknown": "popular"},
        {"where": "price < 9", "seen": "keep"},
        {"only_items": ["i3", "i5", "i250"], "exclude": {"u1": ["i3", "i5"], "nobody": ["i250"]}, "unknown": "popular"},
    ],
)
@pytest.mark.parametrize("size", [1, 7, 10**6])
def test_the_same_as_one_by_one(top, options, size, monkeypatch):
    monkeypatch.setattr(bulk, "MOST_USERS", size)
    users = ["u5", "nobody", "u1", "u39", "u2", "u5"]
    stream = top.recommend_all(users, k=6, **options)
    single = top.recommend(users, k=6, **{"unknown": "skip", **options})
    expected = single.to_frame().with_columns(pl.col("score").cast(pl.Float32))
    assert_frame_equal(stream.to_frame(), expected)
    assert stream.left_out.to_list() == [name for name in users if name not in single]
    assert (stream.total, len(stream)) == (5, len(single))


def test_everybody_in_the_order_of_the_data_set(top):
    stream = top.recommend_all(k=3)
    frame = stream.to_frame()
    assert frame.columns == COLUMNS
    assert frame["user"].unique(maintain_order=True).to_list() == [f"u{n}" for n in range(39)]
    assert stream.left_out.to_list() == ["u39"]
    assert frame["rank"].to_list() == [1, 2, 3] * 39


def test_nothing_is_computed_before_it_is_asked_for(top, monkeypatch):
    monkeypatch.setattr(bulk, "MOST_USERS", 10)
    answered = []
    real = bulk.Request.answer
    monkeypatch.setattr(bulk.Request, "answer", lambda self, *part: answered.append(part) or real(self, *part))
    stream = top.recommend_all(k=2)
    assert answered == []
    assert next(iter(stream)).height == 20
    assert answered == [(0, 10)]
    assert stream.to_frame().height == 78
    assert answered[1:] == [(0, 10), (10, 20), (20, 30), (30, 40)]


@pytest.mark.parametrize("lists", [False, True])
@pytest.mark.parametrize("name", ["r.parquet", "r.csv", "r.tsv", "r.jsonl", "R.NDJSON"])
def test_every_format_holds_the_same(top, tmp_path, monkeypatch, name, lists):
    monkeypatch.setattr(bulk, "MOST_USERS", 16)
    stream, file = top.recommend_all(k=4, unknown="popular"), tmp_path / name
    if lists and file.suffix in (".csv", ".tsv"):
        with pytest.raises(InputError, match="holds no lists; write"):
            stream.write(file, lists=True)
        assert list(tmp_path.iterdir()) == []
        return
    seen = []
    assert stream.write(file, lists=lists, progress=lambda *now: seen.append(now)) == (40 if lists else 160)
    assert seen == [(16, 40), (32, 40), (40, 40)]
    read = {".parquet": pl.read_parquet, ".csv": pl.read_csv, ".tsv": lambda path: pl.read_csv(path, separator="\t")}
    found = read.get(file.suffix, pl.read_ndjson)(file)
    expected = stream.to_frame()
    if lists:
        assert found.columns == [column for column in COLUMNS if column != "rank"]
        assert found["item"].list.len().to_list() == [4] * 40
        found = found.explode(pl.all().exclude("user")).with_columns(rank=pl.Series([1, 2, 3, 4] * 40))
    assert_frame_equal(found.select(COLUMNS), expected, check_dtypes=False)
    assert list(tmp_path.iterdir()) == [file]


def test_parquet_has_plain_types(top, tmp_path):
    import pyarrow.parquet as pq

    top.recommend_all(k=2).write(tmp_path / "r.parquet")
    top.recommend_all(k=2).write(tmp_path / "l.parquet", lists=True)
    kinds = {field.name: str(field.type) for field in pq.read_schema(tmp_path / "r.parquet")}
    assert kinds == dict(zip(COLUMNS, ["string", "int64", "string", "string", "float", "string", "bool"], strict=True))
    assert str(pq.read_schema(tmp_path / "l.parquet").field("item").type).startswith("list<")


def test_files_that_are_not_written(top, tmp_path):
    stream, file = top.recommend_all(k=2), tmp_path / "r.csv"
    file.write_text("mine")
    with pytest.raises(InputError, match=r"r\.csv: exists; pass overwrite=True to replace it"):
        stream.write(file)
    for name, words in (("r.xlsx", r"unknown format '\.xlsx' .* allowed are \.parquet"), ("r", "unknown format ''")):
        with pytest.raises(InputError, match=words):
            stream.write(tmp_path / name)
    with pytest.raises(InputError, match="the path of a file is needed"):
        stream.write(None)
    with pytest.raises(ZeroDivisionError):
        stream.write(file, overwrite=True, progress=lambda done, total: 1 / 0)
    assert file.read_text() == "mine"
    assert os.listdir(tmp_path) == ["r.csv"]
    stream.write(file, overwrite=True)
    assert file.read_text().startswith("user,rank,item,title,score,source,cold\nu0,1,")


def test_the_data_set_is_not_replaced(tmp_path):
    clicks = pl.DataFrame({"user": [n // 4 + 7 for n in range(40)], "item": [n * 3 % 11 for n in range(40)]})
    data = Dataset.from_frame(clicks).save(tmp_path / "data")
    stream = Popularity.from_dataset(data).top_items().recommend_all(k=2)
    with pytest.raises(InputError, match="is what this command reads"):
        stream.write(tmp_path / "data" / "items.parquet", overwrite=True)
    Dataset.open(tmp_path / "data")


def test_ids_in_the_type_they_were_given_in(tmp_path):
    clicks = pl.DataFrame({"user": [n // 4 + 7 for n in range(40)], "item": [n * 3 % 11 for n in range(40)]})
    top = Popularity.from_dataset(Dataset.from_frame(clicks)).top_items()
    frame = top.recommend_all(k=2).to_frame()
    assert frame.schema["user"] == frame.schema["item"] == pl.Int64
    assert frame.join(clicks, on="user").height > 0
    assert top.recommend_all(pl.Series([8, 9], dtype=pl.UInt8)).schema["user"] == pl.UInt8
    assert top.recommend_all(["8", 8, "9"]).to_frame()["user"].unique(maintain_order=True).to_list() == ["8", "9"]
    assert top.recommend_all(8, k=1).to_frame().rows()[0][:2] == (8, 1)


def test_users_nobody_knows(top):
    with pytest.raises(InputError, match=r"none of the 2 users .* \(first: 'zoe'\); unknown='popular'"):
        top.recommend_all(["zoe", "zac"])
    with pytest.raises(InputError, match="unknown user 'zoe' in data set 'drawn'"):
        top.recommend_all(["u1", "zoe"], unknown="error")
    with pytest.raises(InputError, match="user 'u39' has no training interaction"):
        top.recommend_all(unknown="error")
    with pytest.raises(InputError, match=r"users: an id is missing \(number 2 of them\)"):
        top.recommend_all(pl.Series(["u1", None]))
    assert top.recommend_all([]).to_frame().columns == COLUMNS


def test_parquet_is_written_group_by_group(top, tmp_path, monkeypatch):
    import pyarrow.parquet as pq

    monkeypatch.setattr(bulk, "MOST_USERS", 10)
    monkeypatch.setattr(frame_files, "GROUP", 30)
    top.recommend_all(k=2, unknown="popular").write(tmp_path / "r.parquet")
    file = pq.ParquetFile(tmp_path / "r.parquet")
    assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == [40, 40]
    assert_frame_equal(pl.read_parquet(tmp_path / "r.parquet"), top.recommend_all(k=2, unknown="popular").to_frame())


def test_what_is_no_data_set(top):
    with pytest.raises(InputError, match=r"a Dataset is needed for ids and seen items \(got a str\)"):
        TopItems(top.embeddings, "data/shop")
