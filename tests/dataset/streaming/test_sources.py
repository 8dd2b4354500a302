"""Whatever the files hold, a streamed import makes the data set of the one in memory."""

import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.dataset.streaming.both_ways import clicks, compare
from tests.dataset.toys import write


@pytest.mark.parametrize(
    "text",
    [
        'user,item,note\nann,mug,"two\nlines, one row"\n' * 1 + "bob,pen,x\n" * 9 + 'ann,pen,"a ""b"" c"\n' * 5,
        "user,item,note\n" + "ann,mug,x\n" * 9 + 'bob,5" pipe,y\n' + 'cid,"a, b",z\n' * 4 + "ann,pen,x\n" * 5,
        "user,item,note\n" + "ann,mug,x\n" * 9 + 'bob,pen,"never closed\n' + "cid,pen,x\n" * 9,
        "user;item;note\r\n" + "ann;mug;x\r\n\r\n" * 9 + "bob;pen;y\r\n",
        "user,item,note\rann,mug,x\rbob,pen,y\r" + "cid,cup,z\r" * 9,
        "\n\n\n" + "\n" * 99 + "user,item,note\nann,mug,x\nbob,pen,y\n",
        "user,item,note\n\x00ann,mug,x\n",
        "user,item,user\nann,mug,x\n" + "bob,pen,y\n" * 9,
        "",
        "\n \n",
        "user,item\n",
    ],
)
def test_text_as_people_have_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "clicks.csv").write_bytes(text.encode())
    compare(tmp_path)


def test_packed_and_otherwise_encoded_text(tmp_path: Path) -> None:
    text = "user,item\n" + "".join(f"Jörg{n % 7},Töpfe{n % 4}\n" for n in range(40))
    with gzip.open(tmp_path / "clicks.csv.gz", "wb") as file:
        file.write(text.encode())
    compare(tmp_path, interactions=tmp_path / "clicks.csv.gz")
    (tmp_path / "clicks.csv").write_bytes(text.encode("utf-16"))
    compare(tmp_path)
    (tmp_path / "clicks.csv").write_bytes(text.encode("cp1252"))
    assert "line 2 is not UTF-8" in compare(tmp_path)["error"]
    compare(tmp_path, encoding="cp1252")
    (tmp_path / "clicks.dat").write_text(text.replace(",", "::"))
    compare(tmp_path, interactions=tmp_path / "clicks.dat")
    (tmp_path / "bare.csv").write_text(text.split("\n", 1)[1])
    compare(tmp_path, interactions=tmp_path / "bare.csv", columns=("user", "item"))


def test_many_files_are_one_table(tmp_path: Path) -> None:
    frame = clicks()
    for number, part in enumerate(frame.iter_slices(100)):
        inner = tmp_path / "clicks" / f"day={number}"
        inner.mkdir(parents=True)
        part.write_parquet(inner / "part.parquet")
    for source in (tmp_path / "clicks", tmp_path / "clicks" / "*" / "*.parquet"):
        compare(tmp_path, interactions=source, timestamp="time")
    compare(tmp_path, interactions=tmp_path / "clicks", timestamp="day")
    frame.with_columns(pl.col("user").cast(pl.Float64)).write_parquet(tmp_path / "clicks" / "more.parquet")
    compare(tmp_path, interactions=tmp_path / "clicks", timestamp="time")
    frame.with_columns(pl.col("user").cast(pl.String)).write_parquet(tmp_path / "clicks" / "text.parquet")
    assert "column 'user' holds" in compare(tmp_path, interactions=tmp_path / "clicks")["error"]
    assert "no file matches" in compare(tmp_path, interactions=tmp_path / "*.arrow")["error"]


def test_times_and_nested_columns_of_parquet(tmp_path: Path) -> None:
    frame = clicks().with_columns(pl.from_epoch("time", "s").dt.cast_time_unit("ns"), about=pl.struct("stars"))
    frame.write_parquet(tmp_path / "clicks.parquet")
    compare(tmp_path, interactions=tmp_path / "clicks.parquet", timestamp="time", rating="about.stars")
    late = frame.with_columns(pl.when(pl.int_range(300) > 250).then(pl.col("time") + pl.duration(nanoseconds=3)))
    late.write_parquet(tmp_path / "clicks.parquet")
    compare(tmp_path, interactions=tmp_path / "clicks.parquet", timestamp="time")
    whole = frame.with_columns(pl.col("time").dt.offset_by("1us"))
    whole.write_parquet(tmp_path / "clicks.parquet")
    compare(tmp_path, interactions=tmp_path / "clicks.parquet", timestamp="time")


def test_what_lies_beside_the_table(tmp_path: Path) -> None:
    clicks().write_csv(tmp_path / "clicks.csv")
    write(tmp_path / "items.csv", "item,name\n" + "".join(f"{n},Thing {n}\n" for n in range(3, 20)))
    np.save(tmp_path / "f.npy", np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32))
    beside = {"items": tmp_path / "items.csv", "title": "name"}
    compare(tmp_path, **beside)
    compare(tmp_path, **beside, all_items=True)
    compare(tmp_path, features={"f": tmp_path / "f.npy"})
    write(tmp_path / "items.csv", "item,name\nx,X\ny,Y\n")
    assert "0 of 12 items matched" in compare(tmp_path, **beside)["error"]
